#include "ichdet/preprocess/heads_up.hpp"
#include "value.hpp"

namespace ichdet::python {

namespace {

HeadsUpVariant variant_of(const std::string& name) {
  if (name == "e1") return HeadsUpVariant::e1;
  if (name == "e2") return HeadsUpVariant::e2;
  if (name == "e3") return HeadsUpVariant::e3;
  if (name == "e4") return HeadsUpVariant::e4;
  throw Error::mismatch(ErrorCode::options, "variant", "e1, e2, e3 or e4", name);
}

}  // namespace

void bind_heads_up(py::module_& m) {
  m.def(
      "mix_windows",
      [](const Floats32<3>& hu, const std::vector<std::pair<Window, double>>& windows, int threads) {
        std::vector<WeightedWindow> mix;
        for (const auto& [window, weight] : windows) mix.push_back({window, weight});
        return lend(unlocked([&] { return mix_windows(hu.values, mix, threads); }));
      },
      py::arg("hu"), py::arg("windows"), py::arg("threads") = 1, R"(A weighted sum of windows.

Parameters
----------
hu : (z, y, x) float32
    An array, tensor or Volume.
windows : list of (Window, float)
    Each with its weight.
threads : int
    0: as many as the machine has. Does not change any bit.

Returns
-------
(z, y, x) float32

Raises
------
OptionsError
    No window, one without width, or a weight that is not finite.

Notes
-----
Equal, bit for bit, to ``sum(weight * (np.clip(hu, low, high) - low) / (high - low))`` in float64, then float32.

Examples
--------
>>> hu = np.array([0, 40, 80], "float32").reshape(1, 1, 3)
>>> ichdet.mix_windows(hu, [(ichdet.Window(0, 80), 0.75), (ichdet.Window(40, 80), 0.25)])
array([[[0.   , 0.375, 1.   ]]], dtype=float32)
)");
  m.def(
      "heads_up_mix",
      [](double colour_weight) {
        std::vector<std::pair<Window, double>> mix;
        for (const auto& [window, weight] : heads_up_mix(colour_weight)) mix.emplace_back(window, weight);
        return mix;
      },
      py::arg("colour_weight"),
      R"(The windows of HEADS UP E4's channel of a colour weight: their average, times the weight.

Parameters
----------
colour_weight : float
    What a window's grey value is times in this colour.

Returns
-------
list of (Window, float)
    What `mix_windows` takes.

Examples
--------
>>> [(window.centre_hu, window.width_hu, round(weight, 3)) for window, weight in ichdet.heads_up_mix(0.25)]
[(40.0, 80.0, 0.083), (80.0, 200.0, 0.083), (40.0, 380.0, 0.083)]
)");
  const HeadsUpOptions usual;
  m.def(
      "heads_up",
      [](const Floats32<3>& hu, const std::string& variant, const std::array<double, 3>& colour_weights,
         const std::string& order, int threads) {
        if (order != "channel_first" && order != "slice_first") {
          throw Error::mismatch(ErrorCode::options, "order", "channel_first or slice_first", order);
        }
        const auto which = variant_of(variant);
        const HeadsUpOptions options{colour_weights,
                                     order == "channel_first" ? ChannelOrder::channel_first : ChannelOrder::slice_first,
                                     threads};
        return lend(unlocked([&] { return heads_up(hu.values, which, options); }));
      },
      py::arg("hu"), py::arg("variant"), py::kw_only(), py::arg("colour_weights") = usual.colour_weights,
      py::arg("order") = "channel_first", py::arg("threads") = usual.threads,
      R"(The pictures of HEADS UP (S4), of brain W80 L40, subdural W200 L80 and soft tissue W380 L40.

Parameters
----------
hu : (z, y, x) float32
    An array, tensor or Volume.
variant : str
    "e1", the brain window in 8 bits; "e2", three windows as red, green and blue; "e3", the same in 8 bits; "e4", each
    window as a picture of its own in which red weighs most, the three averaged.
colour_weights : (float, float, float)
    Of e4, of red, green and blue. The paper gives no number: these are ichdet's.
order : str
    "channel_first" for (channel, z, y, x) or "slice_first" for (z, channel, y, x).
threads : int
    0: as many as the machine has. Does not change any bit.

Returns
-------
(channel, z, y, x) or (z, channel, y, x) float32
    In [0, 1]; of e1 one channel, else three.

Raises
------
OptionsError
    Another word for `variant` or `order`, or a weight that is not finite.

Examples
--------
>>> hu = np.full((2, 4, 4), 60, "float32")
>>> ichdet.heads_up(hu, "e2")[:, 0, 0, 0]
array([0.75      , 0.4       , 0.55263156], dtype=float32)
>>> ichdet.heads_up(hu, "e1", order="slice_first").shape
(2, 1, 4, 4)
)");
}

}  // namespace ichdet::python
