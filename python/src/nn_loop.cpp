#include <pybind11/stl/filesystem.h>

// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/functional.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "ichdet/nn/device.hpp"
#include "ichdet/train/loop.hpp"
#include "ichdet/train/weight_average.hpp"
#include "json.hpp"
#include "plain.hpp"
#include "python_network.hpp"
#include "watched.hpp"

namespace ichdet::python {

using namespace train;

namespace {

using Path = std::filesystem::path;
using Values = std::map<std::string, double>;
using Batches = std::function<std::pair<at::Tensor, at::Tensor>(std::int64_t)>;
using ModuleObjective = std::function<at::Tensor(TorchModule, at::Tensor, at::Tensor)>;
using ModuleValidation = std::function<std::variant<double, std::pair<double, Values>>(TorchModule)>;

/// The C++ network of an `ichdet.nn.Module`; of others one that asks them, on their own tensors.
std::shared_ptr<ichdet::Network> network_of(const TorchModule& module) {
  if (py::hasattr(module, "_plain")) return module.attr("_plain").cast<Plain&>().network;
  return std::make_shared<PythonNetwork>(module);
}

Score score_of(const std::variant<double, std::pair<double, Values>>& found) {
  if (const auto* value = std::get_if<double>(&found)) return {*value, {}};
  const auto& [value, values] = std::get<1>(found);
  return {value, values};
}

/// Held without the interpreter's lock.
template <class Object>
std::shared_ptr<const Object> held(Object object) {
  return {new Object(std::move(object)), [](const Object* pointer) {
            const py::gil_scoped_acquire locked;
            delete pointer;
          }};
}

FitResult fit_module(const TorchModule& module, Batches batches, ModuleObjective objective, ModuleValidation validation,
                     const Path& folder, std::int64_t steps, std::int64_t epoch, std::int64_t validate_every,
                     std::int64_t save_every, std::int64_t log_every, double minutes, const JsonDict& optimizer,
                     const JsonDict& schedule, double average, bool bfloat16, const std::string& device, int workers,
                     std::uint64_t seed, const std::string& identity, const ProgressArgument& progress) {
  FitOptions options;
  options.steps = steps;
  options.epoch = epoch;
  options.validate_every = validate_every;
  options.save_every = save_every;
  options.log_every = log_every;
  options.minutes = minutes;
  options.optimizer = optimizer_spec(from_python(optimizer), "fit");
  options.schedule = schedule_spec(from_python(schedule), "fit");
  options.average = average;
  options.bfloat16 = bfloat16;
  options.device = find_device(device, "fit: device");
  options.workers = workers;
  options.seed = seed;
  options.identity = identity;
  const auto network = network_of(module);
  const auto python = held(TorchModule(module));
  const auto made = held(std::move(batches));
  const auto small = held(std::move(objective));
  const auto good = held(std::move(validation));
  module.attr("train")();
  const auto result = watched(progress, [&](const Progress& tell) {
    return fit(
        *network,
        [&](std::int64_t step) {
          auto [input, target] = (*made)(step);
          return Batch{input, target, {}};
        },
        [&](ichdet::Network&, const Batch& batch) {
          const py::gil_scoped_acquire locked;
          return (*small)(*python, batch.input, batch.target);
        },
        [&](ichdet::Network& judged, const Progress&) {
          const py::gil_scoped_acquire locked;
          python->attr("train")(judged.is_training());
          const auto score = score_of((*good)(*python));
          return score;
        },
        options, folder, tell);
  });
  module.attr("eval")();
  return result;
}

void bind_fit(py::module_& m) {
  py::class_<Score>(m, "Score", R"(How good a network is.

Examples
--------
>>> ichdet.train.Score(0.8, {"validation/dice": 0.8}).value
0.8)")
      .def(py::init([](double value, const Values& values) {
             return Score{value, values};
           }),
           py::arg("value"), py::arg("values") = Values{})
      .def_readonly("value", &Score::value, "By which the best is chosen: more is better.")
      .def_readonly("values", &Score::values, "\"validation/dice\": for the log.");
  py::class_<FitResult>(m, "FitResult", R"(How far a training has come. From `fit`.

Examples
--------
>>> ichdet.train.FitResult().step
0)")
      .def(py::init<>())
      .def_readonly("step", &FitResult::step, "Done so far; less than `steps` where its minutes were over.")
      .def_readonly("seconds", &FitResult::seconds, "Over all sittings.")
      .def_readonly("best_step", &FitResult::best_step, "Whose weights the network has.")
      .def_readonly("bfloat16", &FitResult::bfloat16, "Whether it multiplied in bfloat16.")
      .def_readonly("best", &FitResult::best, "Their Score.")
      .def_readonly("last", &FitResult::last, "The last Score.");
  const FitOptions usual;
  const JsonDict adamw = to_python({{"name", "adamw"}, {"learning_rate", OptimizerSpec{}.learning_rate}});
  const JsonDict constant = to_python({{"name", "constant"}});
  m.def("fit", &fit_module, py::arg("module"), py::arg("batches"), py::arg("objective"), py::arg("validation"),
        py::arg("folder"), py::kw_only(), py::arg("steps") = usual.steps, py::arg("epoch") = usual.epoch,
        py::arg("validate_every") = usual.validate_every, py::arg("save_every") = usual.save_every,
        py::arg("log_every") = usual.log_every, py::arg("minutes") = usual.minutes, py::arg("optimizer") = adamw,
        py::arg("schedule") = constant, py::arg("average") = usual.average, py::arg("bfloat16") = usual.bfloat16,
        py::arg("device") = "cpu", py::arg("workers") = usual.workers, py::arg("seed") = usual.seed,
        py::arg("identity") = usual.identity, py::arg("progress") = py::none(),
        R"(The training loop of `train`, on any module, batches, objective and validation: sittings that go on.

A resumed training sees the same batches, learning rates and random numbers, and has the same losses as one that was
never interrupted. At the end the module holds the best weights, on the CPU, and is in evaluation mode. In `folder`:
metrics.csv, TensorBoard's events, curves.png, state.pt, best.safetensors and last.safetensors. Ctrl-C saves first.

Parameters
----------
module : torch.nn.Module
    `ichdet.nn.Module`, or any other.
batches : callable
    Step, from 0, to (input, target); always the same for a step. Called ahead, from other threads.
objective : callable
    (module, input, target) to a scalar tensor, to be made small.
validation : callable
    module to a number, more being better, or (number, {"validation/dice": number}). Called in evaluation mode.
folder : str or path
steps : int
epoch : int
    Steps of an epoch, for the schedule.
validate_every : int
    Steps; 0: at the end alone.
save_every : int
    Steps between states from which a killed training goes on.
log_every : int
    Steps whose mean loss makes a row of the log.
minutes : float
    Of this sitting, after which it saves and returns; 0: until the end.
optimizer, schedule : dict
    As a recipe has them (docs/training.md).
average : float
    Decay of the weights' running mean, which is what is validated and kept; 0: none.
bfloat16 : bool
    Autocast; on a CPU without AMX it stays float32, where bfloat16's gradients cannot be trusted.
device : str
workers : int
    Threads that make batches ahead.
seed : int
identity : str
    What must be the same for a training to go on.
progress : bool, callable or None
    True: a bar (tqdm). A callable is called with the stage's name and the fraction done.

Returns
-------
FitResult

Raises
------
ichdet.Error
    options: the folder holds another training's state. weights: a loss is no number. io: files cannot be written.
    cancelled: stopped.

Examples
--------
>>> line = torch.nn.Linear(1, 1)
>>> def batches(step):
...     x = torch.full((4, 1), float(step % 3))
...     return x, 2 * x
>>> def objective(module, x, y):
...     return (module(x) - y).square().mean()
>>> def validation(module):
...     return -abs(module.weight.item() - 2)
>>> with tempfile.TemporaryDirectory() as folder:
...     result = ichdet.train.fit(line, batches, objective, validation, folder, steps=60,
...                               optimizer={"name": "sgd", "learning_rate": 0.1})
>>> result.step, result.best.value > -0.5
(60, True))");
  m.def(
      "schedule_factor",
      [](const JsonDict& schedule, std::int64_t step, std::int64_t steps, std::int64_t epoch) {
        return schedule_factor(schedule_spec(from_python(schedule), "schedule_factor"), step, steps, epoch);
      },
      py::arg("schedule"), py::arg("step"), py::arg("steps"), py::arg("epoch") = 1,
      R"(What the learning rate is multiplied by at a step; for torch.optim.lr_scheduler.LambdaLR, say.

Parameters
----------
schedule : dict
    As a recipe has it: name 'constant', 'polynomial' (power 0.9; nnU-Net's), 'step' (factor 0.6, every_epochs 2; S1's)
    or 'cosine'; and warm_up, steps in which it rises from 0.
step, steps : int
    Which of how many, from 0.
epoch : int
    Steps of an epoch.

Returns
-------
float

Raises
------
ichdet.Error
    weights: no such schedule or setting.

Examples
--------
>>> ichdet.train.schedule_factor({"name": "cosine"}, step=50, steps=100)
0.5
>>> ichdet.train.schedule_factor({"name": "constant", "warm_up": 10}, step=4, steps=100)
0.5)");
}

}  // namespace

void bind_loop(py::module_& m) {
  py::class_<WeightAverage>(m, "WeightAverage",
                            R"(An exponential moving average of a network's weights: steadier than the last step's.

The decay rises with the steps, as (1 + n) / (10 + n), until `decay`. Counters are copied.

Parameters
----------
module : torch.nn.Module
    `ichdet.nn.Module`, or any other.
decay : float
    Such as 0.999.

Examples
--------
>>> line = torch.nn.Linear(1, 1, bias=False)
>>> average = ichdet.train.WeightAverage(line, 0.9)
>>> with torch.no_grad():
...     _ = line.weight.add_(1)
>>> average.update(line)
>>> torch.allclose(line.weight - average.tensors["weight"], torch.tensor(2 / 11))
True)")
      .def(py::init([](const TorchModule& module, double decay) { return WeightAverage(*network_of(module), decay); }),
           py::arg("module"), py::arg("decay"))
      .def(
          "update", [](WeightAverage& average, const TorchModule& module) { average.update(*network_of(module)); },
          py::arg("module"), "Takes in the weights of a step.")
      .def(
          "swap", [](WeightAverage& average, const TorchModule& module) { average.swap(*network_of(module)); },
          py::arg("module"), "Exchanges the average with the module's own weights; twice, and all is as before.")
      .def_readonly("tensors", &WeightAverage::tensors, "By name.")
      .def_readonly("updates", &WeightAverage::updates, "So far.");
  bind_fit(m);
}

}  // namespace ichdet::python
