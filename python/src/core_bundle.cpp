#include <pybind11/stl/filesystem.h>

#include "ichdet/bundle/bundle.hpp"
#include "ichdet/bundle/cache.hpp"
#include "ichdet/bundle/calibration.hpp"
#include "ichdet/bundle/ensemble_spec.hpp"
#include "ichdet/bundle/fetch.hpp"
#include "ichdet/bundle/recipe.hpp"
#include "ichdet/bundle/sha256.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/bundle/store_calibration.hpp"
#include "json.hpp"
#include "value.hpp"
#include "watched.hpp"

// Weights and what is needed to use them right: looking at, fetching and checking them.
namespace ichdet::python {

namespace {

namespace fs = std::filesystem;

/// The folder of the bundle that `name_or_path` means.
fs::path folder_of(const fs::path& name_or_path) { return resolve_bundle(name_or_path.string()); }

py::dtype numpy_type(DType type) {
  switch (type) {
    case DType::boolean: return py::dtype("bool");
    case DType::u8: return py::dtype("uint8");
    case DType::i8: return py::dtype("int8");
    case DType::i16: return py::dtype("int16");
    case DType::u16: return py::dtype("uint16");
    case DType::f16: return py::dtype("float16");
    case DType::i32: return py::dtype("int32");
    case DType::u32: return py::dtype("uint32");
    case DType::f64: return py::dtype("float64");
    case DType::i64: return py::dtype("int64");
    case DType::u64: return py::dtype("uint64");
    case DType::bf16:  // NumPy has none: as float32
    case DType::f32: return py::dtype("float32");
  }
  throw Error(ErrorCode::weights, "tensor: of a type that NumPy does not have");
}

/// A read-only view of the mapped file; bfloat16 copied to float32.
py::array tensor(const SafeTensors& file, const std::string& name) {
  const auto found = file.tensors().find(name);
  if (found == file.tensors().end()) throw py::key_error(name);
  const auto& view = found->second;
  py::array values;
  if (view.dtype == DType::bf16) {
    values = py::array(numpy_type(view.dtype), view.shape, view.to_float32().data());
  } else {
    const py::capsule owner(new SafeTensors(file), [](void* held) { delete static_cast<SafeTensors*>(held); });
    values = py::array(numpy_type(view.dtype), view.shape, view.bytes.data(), owner);
  }
  py::detail::array_proxy(values.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  return values;
}

void bind_safetensors(py::module_& m) {
  py::class_<SafeTensors>(m, "SafeTensors",
                          R"(A .safetensors file, mapped into memory: tensors by name, as a dict has them.

Tensors come as read-only NumPy arrays on the mapped file, which is never copied; bfloat16, which NumPy lacks, as a
float32 copy. The header is not trusted.

Parameters
----------
file : path

Raises
------
IoError
    The file cannot be mapped.
WeightsError
    Malformed; the message names file and tensor.

Examples
--------
>>> weights = ichdet.open_bundle("s1").weights
>>> name = sorted(weights.keys())[0]
>>> weights[name].dtype, weights[name].flags.writeable
(dtype('float32'), False)
)")
      .def(py::init<const fs::path&>(), py::arg("file"), py::call_guard<py::gil_scoped_release>(), "See the class.")
      .def(
          "keys",
          [](const SafeTensors& s) {
            std::vector<std::string> names;
            for (const auto& [name, view] : s.tensors()) names.push_back(name);
            return names;
          },
          "Names of the tensors, sorted.")
      .def("__getitem__", &tensor, py::arg("name"), "A tensor, as a read-only array. Raises KeyError.")
      .def(
          "__contains__", [](const SafeTensors& s, const std::string& name) { return s.tensors().contains(name); },
          py::arg("name"), "Whether there is a tensor of this name.")
      .def(
          "__iter__",
          [](const SafeTensors& s) { return py::make_key_iterator(s.tensors().begin(), s.tensors().end()); },
          py::keep_alive<0, 1>(), "Names of the tensors, sorted.")
      .def(
          "__len__", [](const SafeTensors& s) { return s.tensors().size(); }, "How many tensors.")
      .def(
          "shapes",
          [](const SafeTensors& s) {
            std::map<std::string, std::vector<std::int64_t>> shapes;
            for (const auto& [name, view] : s.tensors()) shapes[name] = view.shape;
            return shapes;
          },
          "The shape of each tensor, by name.")
      .def_property_readonly("metadata", &SafeTensors::metadata, "The header's __metadata__.")
      .def_property_readonly("file", &SafeTensors::file, "Where it lies.")
      .def("__repr__", [](const SafeTensors& s) {
        return "<ichdet.SafeTensors " + std::to_string(s.tensors().size()) + " tensors, " + s.file().string() + ">";
      });
}

void bind_bundles(py::module_& m) {
  py::class_<Bundle>(m, "Bundle", R"(One network's weights and all that is needed to use them right. From `open_bundle`.

A folder with bundle.json, the weights it names and the licence file it names.

Examples
--------
>>> bundle = ichdet.open_bundle("s1")
>>> bundle
<ichdet.Bundle ichdet-s1 1: slice classification, EfficientClassification>
>>> [c.name for c in bundle.spec.classes]
['no hemorrhage', 'hemorrhage']
>>> bundle.identity.sha256 == bundle.sha256
True
)")
      .def_property_readonly(
          "name", [](const Bundle& b) { return b.spec.name; }, "As bundle.json has it.")
      .def_property_readonly(
          "version", [](const Bundle& b) { return b.spec.version; }, "The weights' own.")
      .def_readonly("folder", &Bundle::folder, "Where it lies.")
      .def_readonly("spec", &Bundle::spec, "ModelSpec: what bundle.json says.")
      .def_readonly("sha256", &Bundle::sha256, "Of bundle.json, which holds the weights' hash: of the whole bundle.")
      .def_readonly("weights", &Bundle::weights, "SafeTensors: the tensors, by name.")
      .def_property_readonly("identity", &Bundle::identity, "BundleIdentity, as results name it.")
      .def("__repr__", [](const Bundle& b) {
        return "<ichdet.Bundle " + b.spec.name + " " + b.spec.version + ": " + to_string(b.spec.task) + ", " +
               b.spec.architecture + (b.spec.untrained ? ", UNTRAINED" : "") + ">";
      });
  m.def(
      "open_bundle",
      [](const fs::path& bundle) {
        const py::gil_scoped_release released;
        return open_bundle(folder_of(bundle));
      },
      py::arg("bundle"), R"(Open a bundle; bundle.json is checked against its schema, the weights against their SHA-256.

Parameters
----------
bundle : str or path
    The name of a shipped bundle or of one in the cache (see `models`), else a folder.

Returns
-------
Bundle

Raises
------
WeightsError
    Not there (the message says how to get it, or which names are near), or not what was announced.
OptionsError
    An ensemble of several; see `resolve_bundles` and `read_ensemble`.

Examples
--------
>>> spec = ichdet.open_bundle("s1").spec
>>> spec.task, spec.image.size
('slice classification', (512, 512))
>>> spec.channels[0].low_hu, spec.channels[0].high_hu
(0.0, 80.0)
)");
  m.def(
      "resolve_bundles",
      [](const fs::path& bundle) {
        const py::gil_scoped_release released;
        return resolve_bundles(bundle.string());
      },
      py::arg("bundle"), R"(The folders that a name means.

Parameters
----------
bundle : str or path
    The name of a shipped bundle, or of a bundle or an ensemble in the cache; else a folder or file that exists.

Returns
-------
list of pathlib.Path
    One, or the members of an ensemble in order.

Raises
------
WeightsError
    Not there.

Examples
--------
>>> [folder.name for folder in ichdet.resolve_bundles("s1")]
['s1']
)");
  m.def("cache_folder", &default_cache_folder, R"(Where fetched bundles are kept.

$ICHDET_CACHE, else $XDG_CACHE_HOME/ichdet, else ~/.cache/ichdet.

Returns
-------
pathlib.Path

Raises
------
IoError
    None of these variables is set.

Examples
--------
>>> isinstance(ichdet.cache_folder(), pathlib.Path)
True
)");
  m.def(
      "sha256_of_file",
      [](const fs::path& file, const ProgressArgument& progress) {
        return watched(progress, [&](const Progress& told) { return sha256_of_file(file, told); });
      },
      py::arg("file"), py::kw_only(), py::arg("progress") = py::none(), R"(SHA-256 of a file, read in pieces.

Parameters
----------
file : path
progress : None, True or function of (stage, fraction)

Returns
-------
str
    64 lower-case hexadecimal digits.

Raises
------
IoError
    The file cannot be read.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     path = pathlib.Path(folder) / "empty"
...     path.touch()
...     ichdet.sha256_of_file(path)[:12]
'e3b0c44298fc'
)");
}

/// A model that ichdet knows by name, and how it is to be had.
struct ModelEntry {
  RegistryEntry entry;
  std::string state;
  std::int64_t size_bytes = 0;
  std::vector<fs::path> folders;
};

std::vector<ModelEntry> all_models() {
  std::vector<ModelEntry> all;
  for (auto& model : shipped_models()) {
    ModelEntry shipped;
    shipped.entry.name = std::move(model.name);
    shipped.entry.version = std::move(model.version);
    shipped.entry.title = std::move(model.title);
    shipped.entry.licence = std::move(model.licence);
    shipped.entry.members = std::move(model.members);
    shipped.state = "shipped";
    shipped.folders = std::move(model.bundles);
    all.push_back(std::move(shipped));
  }
  const auto registry = builtin_registry();
  const auto cache = default_cache_folder();
  for (const auto& entry : registry.entries) {
    ModelEntry known{entry, "cached", registry.size_bytes(entry), {}};
    for (const auto* bundle : registry.bundles_of(entry)) {
      if (is_cached(cache, bundle->name)) {
        known.folders.push_back(cached_bundle_folder(cache, bundle->name));
      } else {
        known.state = "not fetched";
      }
    }
    all.push_back(std::move(known));
  }
  return all;
}

void bind_models(py::module_& m) {
  py::class_<PublishedFile>(m, "PublishedFile", R"(One file as its authors published it. From `models`.

Examples
--------
>>> blast_ct = next(model for model in ichdet.models() if model.name == "blast-ct-v1")
>>> [(file.role, file.name) for file in blast_ct.files][0]
('weights', 'model_1.pt')
)")
      .def_property_readonly(
          "role",
          [](const PublishedFile& f) {
            return f.role == FileRole::weights ? "weights" : f.role == FileRole::config ? "config" : "licence";
          },
          "'weights', 'config' or 'licence'.")
      .def_readonly("name", &PublishedFile::name, "File name, also in a mirror.")
      .def_readonly("path", &PublishedFile::path, "Below each of the sources.")
      .def_readonly("sha256", &PublishedFile::sha256, "64 lower-case hexadecimal digits.")
      .def_readonly("size_bytes", &PublishedFile::size_bytes, "Its length.");

  py::class_<ModelEntry>(m, "ModelEntry", R"(A model that ichdet knows by name. From `models`.

Examples
--------
>>> model = next(model for model in ichdet.models() if model.name == "ichdet")
>>> model.state, model.members
('shipped', ['segmenter', 'classifier'])
)")
      .def_property_readonly(
          "name", [](const ModelEntry& e) { return e.entry.name; }, "What to call it by.")
      .def_property_readonly(
          "version", [](const ModelEntry& e) { return e.entry.version; }, "The weights' own.")
      .def_property_readonly(
          "title", [](const ModelEntry& e) { return e.entry.title; }, "What it is, in a line.")
      .def_property_readonly(
          "description", [](const ModelEntry& e) { return e.entry.description; }, "The same at length.")
      .def_readonly("state", &ModelEntry::state, "'shipped', 'cached' or 'not fetched'.")
      .def_readonly("folders", &ModelEntry::folders, "Its bundles' folders, as far as they are here.")
      .def_readonly("size_bytes", &ModelEntry::size_bytes, "To download, members included; 0 of shipped ones.")
      .def_property_readonly(
          "licence", [](const ModelEntry& e) { return e.entry.licence; }, "SPDX expression.")
      .def_property_readonly(
          "citation", [](const ModelEntry& e) { return e.entry.citation; }, "The paper.")
      .def_property_readonly(
          "intended_use", [](const ModelEntry& e) { return e.entry.intended_use; }, "And what it is not for.")
      .def_property_readonly(
          "classes", [](const ModelEntry& e) { return e.entry.classes; }, "What it tells apart.")
      .def_property_readonly(
          "members", [](const ModelEntry& e) { return e.entry.members; }, "Of an ensemble, its bundles.")
      .def_property_readonly(
          "is_ensemble", [](const ModelEntry& e) { return e.entry.is_ensemble(); }, "Of several bundles.")
      .def_property_readonly(
          "sources", [](const ModelEntry& e) { return e.entry.sources; }, "Addresses of the files, tried in order.")
      .def_property_readonly(
          "source_note", [](const ModelEntry& e) { return e.entry.source_note; }, "What is known about the addresses.")
      .def_property_readonly(
          "mirror_folder", [](const ModelEntry& e) { return e.entry.mirror_folder; }, "In a mirror.")
      .def_property_readonly(
          "files", [](const ModelEntry& e) { return e.entry.files; }, "PublishedFile of each.")
      .def("__repr__", [](const ModelEntry& e) {
        return "<ichdet.ModelEntry " + e.entry.name + " (" + e.state + "): " + e.entry.title + ">";
      });

  m.def("models", &all_models, py::call_guard<py::gil_scoped_release>(),
        R"(Every model that ichdet knows by name: those that came with it, then those it can fetch.

Returns
-------
list of ModelEntry
    With its state: "shipped", "cached" or "not fetched".

Raises
------
WeightsError
    A shipped bundle is damaged.

Examples
--------
>>> [model.name for model in ichdet.models() if model.state == "shipped"]
['brain', 'ichdet', 's1']
)");
  const DownloadOptions usual;
  m.def(
      "fetch_bundle",
      [](const std::string& name, const std::optional<fs::path>& cache, const std::optional<std::string>& mirror,
         const std::optional<std::string>& python, bool force, bool allow_http, int attempts, double backoff_s,
         double connect_timeout_s, double stall_timeout_s, const ProgressArgument& progress) {
        auto options = FetchOptions::from_environment();
        if (cache) options.cache = *cache;
        if (mirror) options.mirror = *mirror;
        if (python) options.python = *python;
        if (options.python.empty()) options.python = py::module_::import("sys").attr("executable").cast<std::string>();
        options.force = force;
        options.download = {allow_http, attempts, backoff_s, connect_timeout_s, stall_timeout_s};
        return watched(progress, [&](const Progress& told) {
          const auto registry = builtin_registry();
          std::vector<fs::path> folders;
          for (const auto* bundle : registry.bundles_of(registry.find(name))) {
            folders.push_back(fetch_bundle(*bundle, options, told));
          }
          return folders;
        });
      },
      py::arg("name"), py::kw_only(), py::arg("cache") = py::none(), py::arg("mirror") = py::none(),
      py::arg("python") = py::none(), py::arg("force") = false, py::arg("allow_http") = usual.allow_http,
      py::arg("attempts") = usual.attempts, py::arg("backoff_s") = usual.backoff_s,
      py::arg("connect_timeout_s") = usual.connect_timeout_s, py::arg("stall_timeout_s") = usual.stall_timeout_s,
      py::arg("progress") = py::none(), R"(Make sure that the cache holds a bundle, or an ensemble's members.

Published files are downloaded, their hashes checked, converted, and renamed into place; what is there already is left
as it is. An interrupted download is resumed by the next call. Safe with several processes at once.

Parameters
----------
name : str
    Of one of `models`.
cache : path, optional
    Default: `cache_folder()`.
mirror : str, optional
    A folder or an http(s) address that holds the published files, used instead of their sources. Default:
    $ICHDET_MODEL_MIRROR.
python : str, optional
    A Python with torch, which converts weights that are pickles. Default: $ICHDET_PYTHON, else this one.
force : bool
    Make the bundle again even if the cache holds it.
allow_http : bool
    Plain http:// too; hashes are checked either way.
attempts : int
    In all, after cut connections and server errors.
backoff_s : float
    Before the second attempt; doubles with each.
connect_timeout_s, stall_timeout_s : float
    Gives an attempt up after so long without a connection, or at less than 1 kB/s.
progress : None, True or function of (stage, fraction)

Returns
-------
list of pathlib.Path
    The bundle's folder, or those of an ensemble's members.

Raises
------
WeightsError
    A file is not to be had, has another hash, or cannot be converted; no model of this name.
IoError
    The cache cannot be written.

Examples
--------
>>> ichdet.fetch_bundle("blast-ct-v2")
Traceback (most recent call last):
...
ichdet.WeightsError: ...
)");

  py::class_<BundleFault>(m, "BundleFault", R"(One file of a bundle that is not as it was when the bundle was made.

Examples
--------
See `verify_bundle`.

>>> ichdet.BundleFault.__name__
'BundleFault'
)")
      .def_readonly("file", &BundleFault::file, "In the bundle's folder.")
      .def_readonly("expected", &BundleFault::expected, "SHA-256 that SHA256SUMS has.")
      .def_readonly("found", &BundleFault::found, "Its SHA-256, or 'missing'.")
      .def("__repr__", [](const BundleFault& f) {
        return "<ichdet.BundleFault " + f.file + ": expected " + f.expected + ", found " + f.found + ">";
      });
  m.def(
      "verify_bundle",
      [](const fs::path& bundle, const ProgressArgument& progress) {
        return watched(progress, [&](const Progress& told) { return verify_bundle(folder_of(bundle), told); });
      },
      py::arg("bundle"), py::kw_only(), py::arg("progress") = py::none(),
      R"(Compare every file of a bundle with the SHA256SUMS in its folder, which fetched bundles have.

Parameters
----------
bundle : str or path
    A name (see `models`) or a folder.
progress : None, True or function of (stage, fraction)

Returns
-------
list of BundleFault
    Empty: all is well.

Raises
------
WeightsError
    No SHA256SUMS there, or one that cannot be read.

Examples
--------
>>> with tempfile.TemporaryDirectory() as folder:
...     path = pathlib.Path(folder)
...     (path / "LICENSE").write_text("changed")
...     (path / "SHA256SUMS").write_text("0" * 64 + "  LICENSE\n")
...     [fault.file for fault in ichdet.verify_bundle(path)]
7
74
['LICENSE']
)");
}

void bind_recipes(py::module_& m) {
  using Json = py::typing::Dict<py::str, py::object>;
  py::class_<Recipe>(m, "Recipe", R"(How a published system is put together: everything but its weights. From `recipes`.

Examples
--------
>>> recipe = ichdet.find_recipe("s1")
>>> recipe
<ichdet.Recipe s1-efficient-classification>
>>> recipe.model_spec().architecture
'EfficientClassification'
)")
      .def_readonly("name", &Recipe::name, "What to call it by.")
      .def_readonly("title", &Recipe::title, "In a line.")
      .def_readonly("citation", &Recipe::citation, "The paper.")
      .def_readonly("members", &Recipe::members, "Networks whose answers are averaged.")
      .def_property_readonly(
          "model", [](const Recipe& r) { return Json(to_python(r.model)); },
          "Of bundle.json: task, architecture, input, classes and what its task has.")
      .def_property_readonly(
          "heat_map",
          [](const Recipe& r) {
            return r.heat_map.is_null() ? std::nullopt : std::optional(Json(to_python(r.heat_map)));
          },
          "Of classifiers, as published: method and smoothing; else None.")
      .def_property_readonly(
          "training",
          [](const Recipe& r) {
            return r.training.is_null() ? std::nullopt : std::optional(Json(to_python(r.training)));
          },
          "How it is trained, as ichdet.train reads it; None where the recipe does not say.")
      .def_readonly("stated", &Recipe::stated, "What the source says, one sentence each.")
      .def_readonly("unknown", &Recipe::unknown, "What it does not say, one sentence each.")
      .def("model_spec", &model_of, "ModelSpec: what its bundles say, but for weights and where they come from.")
      .def("__repr__", [](const Recipe& r) { return "<ichdet.Recipe " + r.name + ">"; });
  m.def("recipes", &builtin_recipes, py::call_guard<py::gil_scoped_release>(),
        R"(The recipes that ichdet was built with, by name.

Returns
-------
list of Recipe

Examples
--------
>>> [recipe.name for recipe in ichdet.recipes() if recipe.name.startswith("s4")]
['s4-heads-up-e1', 's4-heads-up-e2', 's4-heads-up-e3', 's4-heads-up-e4']
)");
  m.def(
      "find_recipe", [](const fs::path& recipe) { return find_recipe(recipe.string()); }, py::arg("recipe"),
      py::call_guard<py::gil_scoped_release>(),
      R"(A recipe from a YAML file, or a built-in one by the start of its name.

Parameters
----------
recipe : str or path

Returns
-------
Recipe

Raises
------
WeightsError
    None or more than one of that name (the names are listed), or a file that is no recipe.

Examples
--------
>>> ichdet.find_recipe("s2-viola").title
"S2: VIOLA-AI's segmentation, Viola-Unet, beside s2-dynunet"
)");
}

void bind_stored_calibration(py::module_& m) {
  using Fit = std::optional<ensemble::Calibrator>;
  const auto copies = [&](const char* name, const char* what, auto copy, const char* doc) {
    m.def(
        name,
        [copy](const fs::path& from, const fs::path& to, Fit study, Fit slice, Fit lesion,
               std::optional<double> threshold) {
          const py::gil_scoped_release released;
          copy(from, to, ensemble::Calibration{std::move(study), std::move(slice), std::move(lesion)}, threshold);
        },
        py::arg(what), py::arg("copy"), py::kw_only(), py::arg("study") = py::none(), py::arg("slice") = py::none(),
        py::arg("lesion") = py::none(), py::arg("threshold") = py::none(), doc);
  };
  copies("copy_calibrated_bundle", "bundle", copy_calibrated_bundle,
         R"(A copy of a bundle with another calibration in place of its own.

Parameters
----------
bundle : path
    Its folder.
copy : path
    Where nothing is yet.
study, slice, lesion : ichdet.ensemble.Calibrator, optional
    Of the decision's probability, each slice's, each lesion's confidence.
threshold : float, optional
    Its `thresholds.study`. Without one, a threshold that the bundle has goes through the new calibration of studies.

Raises
------
WeightsError
    No bundle there.
OptionsError
    `copy` lies in the bundle, or its threshold cannot be carried over.
IoError
    Something is there by the name of `copy`, or it cannot be written.

Examples
--------
>>> probabilities, truth = [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]
>>> fitted = ichdet.ensemble.fit_calibrator("platt", probabilities, truth)
>>> source = ichdet.open_bundle("s1").folder
>>> with tempfile.TemporaryDirectory() as folder:
...     ichdet.copy_calibrated_bundle(source, pathlib.Path(folder) / "calibrated", study=fitted, threshold=0.5)
...     copy = ichdet.open_bundle(pathlib.Path(folder) / "calibrated")
>>> copy.spec.calibration["study"]["method"]
'platt'
)");
  copies("copy_calibrated_ensemble", "ensemble", copy_calibrated_ensemble,
         R"(A copy of an ensemble's file with a calibration at its end.

Parameters
----------
ensemble : path
    Its YAML file, whose members are found from the copy's folder too.
copy : path
    Where nothing is yet.
study, slice, lesion : ichdet.ensemble.Calibrator, optional
    Of the decision's probability, each slice's, each lesion's confidence.
threshold : float, optional
    Of studies.

Raises
------
WeightsError
    No ensemble there, or a member is missing.
IoError
    Something is there by the name of `copy`, or it cannot be written.

Examples
--------
>>> fitted = ichdet.ensemble.fit_calibrator("platt", [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
>>> with tempfile.TemporaryDirectory() as folder:
...     file = pathlib.Path(folder) / "two.yaml"
...     _ = file.write_text('''ensemble: 1
... name: one
... classes: [{name: background, blood: false}, {name: hemorrhage, blood: true}]
... rule: mean
... members: [{bundle: s1}]
... ''')
...     ichdet.copy_calibrated_ensemble(file, pathlib.Path(folder) / "fitted.yaml", study=fitted)
...     ichdet.read_ensemble(pathlib.Path(folder) / "fitted.yaml").calibration["study"]["method"]
'platt'
)");
}

void bind_stored_rule(py::module_& m) {
  m.def(
      "copy_stacked_ensemble",
      [](const fs::path& from, const fs::path& to, const ensemble::SliceRule& rule) {
        copy_stacked_ensemble(from, to, rule);
      },
      py::arg("ensemble"), py::arg("copy"), py::arg("rule"), py::call_guard<py::gil_scoped_release>(),
      R"(A copy of an ensemble's file with a rule for slices at its end.

Parameters
----------
ensemble : path
    Its YAML file, without rule, calibration or thresholds; its members are found from the copy's folder too.
copy : path
    Where nothing is yet.
rule : ichdet.ensemble.SliceRule

Raises
------
WeightsError
    No ensemble there, or a member is missing.
IoError
    Something is there by the name of `copy`, or it cannot be written.

Examples
--------
>>> rule = ichdet.ensemble.SliceRule(intercept=-1, weights=(0.5, 0.2, 1), fade_below=0.2)
>>> with tempfile.TemporaryDirectory() as folder:
...     file = pathlib.Path(folder) / "one.yaml"
...     _ = file.write_text('''ensemble: 1
... name: one
... classes: [{name: background, blood: false}, {name: hemorrhage, blood: true}]
... rule: mean
... members: [{bundle: segmenter}]
... ''')
...     shipped = ichdet.read_ensemble("ichdet").members[0].folders[0]
...     (pathlib.Path(folder) / "segmenter").symlink_to(shipped)
...     ichdet.copy_stacked_ensemble(file, pathlib.Path(folder) / "stacked.yaml", rule)
...     ichdet.read_ensemble(pathlib.Path(folder) / "stacked.yaml").slices["intercept"]
-1.0
)");
}

}  // namespace

void bind_bundle(py::module_& m) {
  bind_safetensors(m);
  bind_bundles(m);
  bind_models(m);
  bind_recipes(m);
  bind_stored_calibration(m);
  bind_stored_rule(m);
}

}  // namespace ichdet::python
