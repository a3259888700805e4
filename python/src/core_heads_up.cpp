#include "convert.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/preprocess/heads_up.hpp"

namespace ichdet::python {

namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;

HeadsUpVariant variant_of(const std::string& name) {
  const std::map<std::string, HeadsUpVariant> variants{
      {"e1", HeadsUpVariant::e1}, {"e2", HeadsUpVariant::e2}, {"e3", HeadsUpVariant::e3}, {"e4", HeadsUpVariant::e4}};
  const auto found = variants.find(name);
  if (found == variants.end()) throw Error::mismatch(ErrorCode::options, "variant", "e1, e2, e3 or e4", name);
  return found->second;
}

}  // namespace

void bind_heads_up(py::module_& m) {
  m.def(
      "mix_windows",
      [](FloatArray hu, const std::vector<std::pair<Window, double>>& windows, int threads) {
        std::vector<WeightedWindow> mix;
        for (const auto& [window, weight] : windows) mix.push_back({window, weight});
        const auto values = borrow<float, 3>(std::move(hu));
        py::gil_scoped_release unlocked;
        auto mixed = mix_windows(values, mix, threads);
        py::gil_scoped_acquire locked;
        return lend(std::move(mixed));
      },
      py::arg("hu"), py::arg("windows"), py::arg("threads") = 1,
      R"(A weighted sum of windows.

Equal, bit for bit, to ``sum(weight * (np.clip(hu, low, high) - low) / (high - low))`` in float64, then float32.

Parameters
----------
hu : float32 array (z, y, x)
windows : list of (Window, weight)
threads : int, 0 for as many as the machine has

Returns
-------
float32 array (z, y, x))");
  m.def(
      "heads_up",
      [](FloatArray hu, const std::string& variant, const std::array<double, 3>& colour_weights,
         const std::string& order, int threads) {
        if (order != "channel_first" && order != "slice_first") {
          throw Error::mismatch(ErrorCode::options, "order", "channel_first or slice_first", order);
        }
        const auto which = variant_of(variant);
        const HeadsUpOptions options{colour_weights,
                                     order == "channel_first" ? ChannelOrder::channel_first : ChannelOrder::slice_first,
                                     threads};
        const auto values = borrow<float, 3>(std::move(hu));
        py::gil_scoped_release unlocked;
        auto channels = heads_up(values, which, options);
        py::gil_scoped_acquire locked;
        return lend(std::move(channels));
      },
      py::arg("hu"), py::arg("variant"), py::kw_only(), py::arg("colour_weights") = HeadsUpOptions{}.colour_weights,
      py::arg("order") = "channel_first", py::arg("threads") = 1,
      R"(The pictures of HEADS UP (S4), of brain W80 L40, subdural W200 L80 and soft tissue W380 L40.

Parameters
----------
hu : float32 array (z, y, x)
variant : "e1", the brain window in 8 bits; "e2", three windows as red, green and blue; "e3", the same in 8 bits;
    "e4", each window as a picture of its own in which red weighs most, the three averaged
colour_weights : of e4, of red, green and blue. The paper gives no number: these are ichdet's.
order : "channel_first" for (channel, z, y, x) or "slice_first" for (z, channel, y, x)
threads : int, 0 for as many as the machine has

Returns
-------
float32 array in [0, 1], of e1 with one channel, else with three)");
}

}  // namespace ichdet::python
