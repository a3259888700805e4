#include <algorithm>
#include <memory>

#include "builder.hpp"
#include "dense.hpp"
#include "pooling.hpp"
#include "transfer.hpp"

namespace ichdet::native {

void Lowering::mean(Name in, Name out) {
  const auto source = map(in);
  if (source.narrow()) refuse(out->node(), "of up to four channels");
  read(source);
  if (source.sums) plan_.use(*source.sums, now());
  auto value = new_vector(source.places());
  value.channel_of = source.channel_of;
  const float share = 1.f / float(source.size[0] * source.size[1] * source.size[2]);
  emit([=, this] {
    const auto places = source.places(), to = plan_.offset(*value.floats);
    const auto from = source.sums ? plan_.offset(*source.sums) : to;
    return Step{1,
                [=, m = map_of(source), own = !source.sums](char* arena, std::int64_t, std::int64_t) {
                  for (std::int64_t b = 0; own && b < places / source.per_pixel; ++b) sum_block(m, arena, b, to);
                  const auto* sums = reinterpret_cast<const float*>(arena + from);
                  auto* means = reinterpret_cast<float*>(arena + to);
                  for (std::int64_t i = 0; i < places; ++i) {
                    float total = sums[i];
                    for (std::int64_t band = 1; band < source.bands; ++band) total += sums[band * places + i];
                    means[i] = total * share;
                  }
                },
                {}};
  });
  values_[out] = std::move(value);
}

void Lowering::flatten(Name in, Name out) {
  const auto source = map(in);
  read(source);
  const auto count = std::int64_t(source.channel_of.size()) * source.size[0] * source.size[1] * source.size[2];
  auto value = new_vector(count);
  emit([=, this] {
    const auto to = plan_.offset(*value.floats);
    return Step{
        1,
        [=, m = map_of(source), strides = strides_of(source.size, axes_)](char* arena, std::int64_t, std::int64_t) {
          write_rows(m, source.channel_of, arena, reinterpret_cast<float*>(arena + to), strides, 0, m.rows());
        },
        {}};
  });
  values_[out] = std::move(value);
}

void Lowering::dense(Name in, const at::Tensor& weight, const at::Tensor& bias, Name out) {
  const auto source = vector(in);
  const auto plain = floats(weight);
  const auto outputs = plain.size(0), inputs = plain.size(1);
  if (inputs != std::int64_t(source.channel_of.size())) refuse(out->node(), "of a vector of another length");
  const auto room = *std::max_element(source.channel_of.begin(), source.channel_of.end()) + 1;
  Name last = out;
  const auto activation = take_activation(last).value_or(Activation{});
  read(source);
  auto value = new_vector(outputs);
  emit([=, this] {
    Dense::Options options;
    options.in = plan_.offset(*source.floats);
    options.out = plan_.offset(*value.floats);
    options.inputs = room;
    options.outputs = outputs;
    options.weight.assign(std::size_t(outputs * room), 0);
    for (std::int64_t o = 0; o < outputs; ++o) {
      for (std::int64_t i = 0; i < inputs; ++i) {
        options.weight[std::size_t(o * room + source.channel_of[std::size_t(i)])] =
            plain.data_ptr<float>()[o * inputs + i];
      }
    }
    if (bias.defined()) {
      const auto values = floats(bias);
      options.bias.assign(values.data_ptr<float>(), values.data_ptr<float>() + outputs);
    }
    options.activation = activation;
    options.split = format_ != Format::bfloat16;
    return step_of(Dense(std::move(options)));
  });
  values_[last] = std::move(value);
}

}  // namespace ichdet::native
