// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include "ichdet/core/error.hpp"
#include "ichdet/nn/state_dict.hpp"
#include "ichdet/pipeline/import.hpp"
#include "ichdet/pipeline/make_bundle.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "ichdet/pipeline/slice_explainer.hpp"
#include "json.hpp"
#include "options.hpp"

namespace ichdet::python {
namespace {

using StateDictArgument = std::variant<Path, std::map<std::string, at::Tensor>>;

DType dtype_of(const std::string& name) {
  if (name == "float32") return DType::f32;
  if (name == "bfloat16") return DType::bf16;
  if (name == "float16") return DType::f16;
  throw Error::mismatch(ErrorCode::options, "dtype", "float32, bfloat16 or float16", name);
}

BundleOptions options_of(const std::string& name, const std::string& version, const std::string& licence,
                         const std::optional<Path>& licence_file, const std::string& training_data,
                         const JsonDict& metrics, const std::optional<BundleIdentity>& parent,
                         const std::string& split_sha256, const std::string& dtype) {
  BundleOptions options;
  options.name = name;
  options.version = version;
  options.licence = licence;
  options.licence_file = licence_file.value_or(Path());
  options.training_data = training_data;
  options.metrics = from_python(metrics);
  options.parent = parent;
  options.split_sha256 = split_sha256;
  options.dtype = dtype_of(dtype);
  return options;
}

void bind_make(py::module_& m) {
  const BundleOptions defaults;
  m.def(
      "make_bundle",
      [](const std::string& recipe, const Path& folder, const std::optional<StateDictArgument>& weights,
         const std::optional<std::uint64_t>& untrained, const std::string& name, const std::string& version,
         const std::string& licence, const std::optional<Path>& licence_file, const std::string& training_data,
         const JsonDict& metrics, const std::optional<BundleIdentity>& parent, const std::string& split_sha256,
         const std::string& dtype) {
        if (weights.has_value() == untrained.has_value()) {
          throw py::value_error("make_bundle: expected weights or untrained, one of them");
        }
        const auto options = options_of(name, version, licence, licence_file, training_data, metrics, parent,
                                        split_sha256, dtype);
        const py::gil_scoped_release unlocked;
        const auto found = find_recipe(recipe);
        if (untrained) return make_untrained_bundle(found, *untrained, folder, options);
        if (const auto* file = std::get_if<Path>(&*weights)) return make_bundle(found, *file, folder, options);
        StateDict given{"weights", std::get<1>(*weights), {}};
        for (auto& [key, tensor] : given.tensors) tensor = tensor.detach().cpu();
        make_bundle(found, given, {}, folder, options);
      },
      py::arg("recipe"), py::arg("folder"), py::kw_only(), py::arg("weights") = py::none(),
      py::arg("untrained") = py::none(), py::arg("name") = defaults.name, py::arg("version") = defaults.version,
      py::arg("licence") = defaults.licence, py::arg("licence_file") = py::none(),
      py::arg("training_data") = defaults.training_data, py::arg_v("metrics", JsonDict(), "{}"),
      py::arg("parent") = py::none(), py::arg("split_sha256") = defaults.split_sha256, py::arg("dtype") = "float32",
      R"(Make a bundle's folder from a recipe and weights.

Parameters
----------
recipe : str
    Its name, the beginning of that, or a YAML file: docs/recipes.md.
folder : str or PathLike
    Must be empty, or not there.
weights : str, PathLike, dict of str to torch.Tensor or None
    A state dict, or the file of one: .safetensors, or torch.save's, in which nothing is executed. It is loaded into the
    recipe's architecture first.
untrained : int or None
    A seed instead of weights; the bundle's results say that they mean nothing.
name : str
    Empty: the recipe's, for untrained weights with "untrained-" before it.
version : str
licence : str
    Of the weights, an SPDX expression; empty: not stated.
licence_file : str, PathLike or None
    Its text; None: one sentence that says what is known.
training_data : str
    In words.
metrics : dict
    Anything that JSON holds.
parent : ichdet.BundleIdentity or None
    What its training began with.
split_sha256 : str
    Of the file that says which patients it was trained on; may be empty.
dtype : 'float32', 'bfloat16' or 'float16'
    Of stored weights.

Raises
------
ichdet.Error
    weights: they do not fit, or there is no such recipe; io: the folder is not empty, or cannot be written.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     ichdet.nn.make_bundle("s3-weight-model", folder + "/new", untrained=1, name="tried")
...     ichdet.open_bundle(folder + "/new")
<ichdet.Bundle tried 1: map weights, WeightModel, UNTRAINED>)");
}

void bind_import(py::module_& m) {
  const BundleOptions defaults;
  const NnunetImportOptions nnunet;
  const MonaiImportOptions monai;
  m.def(
      "import_mindgrab",
      [](const Path& folder, const Path& bundle, const std::string& name, const std::string& version,
         const std::string& licence, const std::optional<Path>& licence_file, const std::string& training_data,
         const JsonDict& metrics, const std::string& dtype) {
        const auto options =
            options_of(name, version, licence, licence_file, training_data, metrics, std::nullopt, "", dtype);
        const py::gil_scoped_release unlocked;
        import_mindgrab(folder, bundle, options);
      },
      py::arg("folder"), py::arg("bundle"), py::kw_only(), py::arg("name") = defaults.name,
      py::arg("version") = defaults.version, py::arg("licence") = defaults.licence, py::arg("licence_file") = py::none(),
      py::arg("training_data") = defaults.training_data, py::arg_v("metrics", JsonDict(), "{}"),
      py::arg("dtype") = "float32",
      R"(Make a bundle of MindGrab as brainchop-models keeps it: a folder with model.json and model.pth.

Parameters
----------
folder : str or PathLike
bundle : str or PathLike
    The new bundle's folder, empty or not there.
name, version, licence, licence_file, training_data, metrics, dtype
    As for make_bundle.

Raises
------
ichdet.Error
    weights: the two files are not MindGrab's; io: one is missing, or the bundle's folder is not empty.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     try:
...         ichdet.nn.import_mindgrab(folder, folder + "/new")
...     except ichdet.Error as error:
...         print(error.code)
io)");
  m.def(
      "import_nnunet",
      [](const Path& folder, const Path& out, const std::vector<std::string>& blood,
         const std::vector<std::string>& folds, const std::string& checkpoint, const std::string& orientation,
         const std::string& trainer, const std::string& name, const std::string& version, const std::string& licence,
         const std::optional<Path>& licence_file, const std::string& training_data, const JsonDict& metrics,
         const std::string& dtype) {
        const NnunetImportOptions options{
            blood,
            folds,
            checkpoint,
            orientation,
            trainer,
            options_of(name, version, licence, licence_file, training_data, metrics, std::nullopt, "", dtype)};
        const py::gil_scoped_release unlocked;
        return import_nnunet(folder, out, options);
      },
      py::arg("folder"), py::arg("out"), py::kw_only(), py::arg("blood"), py::arg("folds") = nnunet.folds,
      py::arg("checkpoint") = nnunet.checkpoint, py::arg("orientation") = nnunet.orientation,
      py::arg("trainer") = nnunet.trainer, py::arg("name") = defaults.name, py::arg("version") = defaults.version,
      py::arg("licence") = defaults.licence, py::arg("licence_file") = py::none(),
      py::arg("training_data") = defaults.training_data, py::arg_v("metrics", JsonDict(), "{}"),
      py::arg("dtype") = "float32",
      R"(Make bundles of a trained nnU-Net v2: docs/import.md says what they repeat of it, and what they do not.

Parameters
----------
folder : str or PathLike
    With plans.json, dataset.json and fold_N.
out : str or PathLike
    The new bundle's folder, or with several folds that of theirs, out/fold_N.
blood : list of str
    Which labels are hemorrhage; nnU-Net does not say.
folds : list of str
    "0", "1", ... or "all"; empty: those that are there, but "all".
checkpoint : str
    Of each fold.
orientation : str
    Where x, y, z of the training images ran to; nnU-Net does not say.
trainer : str
    One that is not known, and is known to build the plan's network.
name, version, licence, licence_file, training_data, metrics, dtype
    As for make_bundle.

Returns
-------
list of pathlib.Path
    The bundles' folders.

Raises
------
ichdet.Error
    weights: what is not understood, with file and key; options: `blood`; io: missing files.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     try:
...         ichdet.nn.import_nnunet(folder, folder + "/new", blood=["ich"])
...     except ichdet.Error as error:
...         print(error.code)
io)");
  m.def(
      "import_monai",
      [](const Path& folder, const Path& bundle, const std::vector<std::string>& blood, const std::string& config,
         const std::string& weights, const JsonDict& stated, const std::string& name, const std::string& version,
         const std::string& licence, const std::optional<Path>& licence_file, const std::string& training_data,
         const JsonDict& metrics, const std::string& dtype) {
        MonaiImportOptions options{
            blood,
            config,
            weights,
            {},
            options_of(name, version, licence, licence_file, training_data, metrics, std::nullopt, "", dtype)};
        const nlohmann::json said = from_python(stated);
        for (const auto& [key, value] : said.items()) options.stated[key] = value;
        const py::gil_scoped_release unlocked;
        import_monai(folder, bundle, options);
      },
      py::arg("folder"), py::arg("bundle"), py::kw_only(), py::arg("blood"), py::arg("config") = monai.config,
      py::arg("weights") = monai.weights, py::arg_v("stated", JsonDict(), "{}"), py::arg("name") = defaults.name,
      py::arg("version") = defaults.version, py::arg("licence") = defaults.licence, py::arg("licence_file") = py::none(),
      py::arg("training_data") = defaults.training_data, py::arg_v("metrics", JsonDict(), "{}"),
      py::arg("dtype") = "float32",
      R"(Make a bundle of a MONAI bundle, of which no expression is evaluated: docs/import.md.

Parameters
----------
folder : str or PathLike
    With configs and models.
bundle : str or PathLike
    The new bundle's folder, empty or not there.
blood : list of str
    Which classes are hemorrhage; MONAI does not say.
config : str
    In configs; empty: inference.json, inference.yaml or inference.yml, the one that is there.
weights : str
    In the folder.
stated : dict of str to what JSON holds
    Taken in place of what the configuration holds there, such as {"network_def#act": "relu"}.
name, version, licence, licence_file, training_data, metrics, dtype
    As for make_bundle.

Raises
------
ichdet.Error
    weights: what is not understood, with file and key; options: `blood`; io: missing files.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     try:
...         ichdet.nn.import_monai(folder, folder + "/new", blood=["ich"])
...     except ichdet.Error as error:
...         print(error.code)
io)");
}

}  // namespace

void bind_make_bundle(py::module_& m) {
  using Names = std::vector<std::string>;
  const auto open = [&](const char* name, std::vector<Bundle> (*opened)(const Names&), const char* text) {
    m.def(
        name, [opened](const Names& names) { return opened(names); }, py::arg("names"),
        py::call_guard<py::gil_scoped_release>(), text);
  };
  open("open_named", &open_named, R"(The bundles that names, or folders, stand for; a name may be several.

Parameters
----------
names : list of str

Returns
-------
list of ichdet.Bundle

Raises
------
ichdet.Error
    weights: one is not there, or cannot be opened.

Examples
--------
>>> ichdet.nn.open_named(["s1"])
[<ichdet.Bundle ichdet-s1 1: slice classification, EfficientClassification>])");
  open("open_classifiers", &open_classifiers, R"(The slice classifiers that names mean: bundles, or those of an ensemble.

Parameters
----------
names : list of str

Returns
-------
list of ichdet.Bundle

Raises
------
ichdet.Error
    options: an ensemble without one; weights: one is not there, or cannot be opened.

Examples
--------
>>> [bundle.spec.task for bundle in ichdet.nn.open_classifiers(["ichdet"])]
['slice classification'])");
  bind_make(m);
  bind_import(m);
}

}  // namespace ichdet::python
