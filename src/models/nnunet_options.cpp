#include "ichdet/models/nnunet.hpp"
#include "unet_options.hpp"

namespace ichdet::models {
namespace {

void read(OptionReader& reader, NnUNetOptions& options) {
  reader.read("input_channels", options.input_channels);
  reader.read("num_classes", options.num_classes);
  std::int64_t dimensions = 3;
  reader.read("spatial_dims", dimensions, 2, 3);
  reader.read("features_per_stage", options.features_per_stage);
  read_levels(reader, "kernel_sizes", options.kernel_sizes, std::size_t(dimensions));
  read_levels(reader, "strides", options.strides, std::size_t(dimensions));
  reader.read(options.residual ? "n_blocks_per_stage" : "n_conv_per_stage", options.n_per_stage);
  reader.read("n_conv_per_stage_decoder", options.n_conv_per_stage_decoder);
  reader.read("conv_bias", options.conv_bias);
  read_norm(reader, options.norm);
  reader.read("norm_eps", options.norm_eps);
  reader.read("negative_slope", options.negative_slope);
  if (!options.residual) reader.read("nonlin_first", options.nonlin_first);
  reader.finish();
}

template <class Options>
Options from(const nlohmann::json& json, const std::string& subject) {
  Options options;
  OptionReader reader(json, subject);
  read(reader, options);
  options.check(subject);
  return options;
}

}  // namespace

PlainConvUNetOptions PlainConvUNetOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  return from<PlainConvUNetOptions>(json, subject);
}

ResidualEncoderUNetOptions ResidualEncoderUNetOptions::from_json(const nlohmann::json& json,
                                                                 const std::string& subject) {
  return from<ResidualEncoderUNetOptions>(json, subject);
}

void NnUNetOptions::check(const std::string& subject) const {
  const nlohmann::json none = nlohmann::json::object();
  const OptionReader reader(none, subject);
  const auto stages = strides.size(), dimensions = dimensions_of(strides);
  reader.check(stages >= 2 && stages <= 16, "strides: expected 2 to 16 of them, found " + std::to_string(stages));
  reader.within("input_channels", input_channels, 1, 4096);
  reader.within("num_classes", num_classes, 1, 4096);
  check_levels(reader, "strides", strides, stages, dimensions, 1, 8);
  check_levels(reader, "kernel_sizes", kernel_sizes, stages, dimensions, 1, 31);
  check_odd(reader, "kernel_sizes", kernel_sizes);
  check_counts(reader, "features_per_stage", features_per_stage, stages, 4096);
  check_counts(reader, residual ? "n_blocks_per_stage" : "n_conv_per_stage", n_per_stage, stages, 64);
  check_counts(reader, "n_conv_per_stage_decoder", n_conv_per_stage_decoder, stages - 1, 64);
  reader.check(norm_eps > 0 && norm_eps < 1, "norm_eps: expected 0 to 1");
  reader.check(negative_slope >= 0 && negative_slope < 1, "negative_slope: expected 0 to 1");
}

}  // namespace ichdet::models
