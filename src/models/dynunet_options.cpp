#include "ichdet/models/dynunet.hpp"
#include "ichdet/models/viola_unet.hpp"
#include "unet_options.hpp"

namespace ichdet::models {
namespace {

void read_shared(OptionReader& reader, DynUNetOptions& options) {
  reader.read("in_channels", options.in_channels);
  reader.read("out_channels", options.out_channels);
  std::int64_t dimensions = 3;
  reader.read("spatial_dims", dimensions, 2, 3);
  read_levels(reader, "kernel_size", options.kernel_size, std::size_t(dimensions));
  read_levels(reader, "strides", options.strides, std::size_t(dimensions));
  read_levels(reader, "upsample_kernel_size", options.upsample_kernel_size, std::size_t(dimensions));
  reader.read("filters", options.filters);
  read_norm(reader, options.norm);
  reader.read("negative_slope", options.negative_slope);
  reader.read("res_block", options.res_block);
  reader.read("trans_bias", options.trans_bias);
  reader.read("deep_supervision", options.deep_supervision);
  reader.read("deep_supr_num", options.deep_supr_num);
}

}  // namespace

DynUNetOptions DynUNetOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  DynUNetOptions options;
  if (json.contains("strides")) {
    options.filters.clear();
    options.res_block = options.trans_bias = options.deep_supervision = false;
    options.deep_supr_num = 1;
  }
  OptionReader reader(json, subject);
  read_shared(reader, options);
  reader.finish();
  options.complete(subject);
  return options;
}

ViolaUnetOptions ViolaUnetOptions::from_json(const nlohmann::json& json, const std::string& subject) {
  ViolaUnetOptions options;
  OptionReader reader(json, subject);
  read_shared(reader, options);
  reader.read("dec_filters", options.dec_filters);
  reader.finish();
  options.complete(subject);
  return options;
}

void DynUNetOptions::complete(const std::string& subject) {
  const nlohmann::json none = nlohmann::json::object();
  const OptionReader reader(none, subject);
  const auto levels = strides.size(), dimensions = dimensions_of(strides);
  reader.check(levels >= 3 && levels <= 16, "strides: expected 3 to 16 of them, found " + std::to_string(levels));
  if (upsample_kernel_size.empty()) upsample_kernel_size.assign(strides.begin() + 1, strides.end());
  while (filters.size() < levels) {
    const auto widest = dimensions == 3 ? 320 : 512;
    filters.push_back(std::min<std::int64_t>(std::int64_t(32) << std::min<std::size_t>(filters.size(), 8), widest));
  }
  if (dec_filters.empty()) dec_filters.assign(filters.begin(), filters.end() - 1);

  reader.within("in_channels", in_channels, 1, 4096);
  reader.within("out_channels", out_channels, 1, 4096);
  check_levels(reader, "strides", strides, levels, dimensions, 1, 8);
  check_levels(reader, "kernel_size", kernel_size, levels, dimensions, 1, 31);
  check_odd(reader, "kernel_size", kernel_size);
  check_counts(reader, "filters", filters, levels, 4096);
  check_counts(reader, "dec_filters", dec_filters, levels - 1, 4096);
  reader.check(upsample_kernel_size == std::vector<Axes>(strides.begin() + 1, strides.end()),
               "upsample_kernel_size: expected the strides but the first");
  reader.check(negative_slope >= 0 && negative_slope < 1, "negative_slope: expected 0 to 1");
  if (deep_supervision) reader.within("deep_supr_num", deep_supr_num, 1, std::int64_t(levels) - 2);
  for (std::size_t level = 0; level < levels; ++level) {
    for (std::size_t axis = 0; axis < dimensions; ++axis) {
      reader.check(strides[level][axis] <= (res_block ? 2 : kernel_size[level][axis] + 1),
                   "strides: expected at most 2 with res_block, else at most the kernel's size and 1");
    }
    if (!viola_att || level + 1 == levels) continue;
    reader.check((filters[level] + dec_filters[level]) % 2 == 0,
                 "dec_filters: expected an even number of channels with those of filters");
  }
}

}  // namespace ichdet::models
