#include "convert.hpp"
#include "ichdet/bundle/shipped.hpp"
#include "ichdet/pipeline/open_detector.hpp"
#include "json.hpp"
#include "options.hpp"
#include "watched.hpp"

namespace ichdet::python {

namespace {

OpenOptions open_options(int threads, const std::string& precision, const std::string& engine,
                         const std::string& region, std::optional<double> decision_threshold, double min_lesion_ml,
                         int top_voxels, const std::string& device, double memory_mib, const Path& cache_folder) {
  OpenOptions options;
  options.segmenter.network = network_options(threads, precision, engine, device, memory_mib, cache_folder);
  options.segmenter.region = parse_search_region(region);
  options.classifier.network = options.segmenter.network;
  if (options.classifier.network.precision == Precision::adaptive) {
    options.classifier.network.precision = Precision::automatic;
  }
  options.detector.threads = threads;
  options.detector.decision_threshold = decision_threshold;
  options.detector.min_lesion_ml = min_lesion_ml;
  options.detector.top_voxels = top_voxels;
  return options;
}

using File = std::variant<Path, EnsembleSpec, JsonDict>;

/// Of a file, a name, or what the file would say.
EnsembleSpec spec_of(const File& given, const OwnMembers& own) {
  std::vector<std::string> names;
  for (const auto& [name, members] : own) names.push_back(name);
  if (const auto* file = std::get_if<Path>(&given)) {
    const py::gil_scoped_release unlocked;
    return read_ensemble(find_ensemble(file->string()).value_or(*file), names);
  }
  const auto* parsed = std::get_if<EnsembleSpec>(&given);
  const auto text = parsed ? std::string() : from_python(std::get<JsonDict>(given)).dump();
  const py::gil_scoped_release unlocked;
  auto spec = parsed ? *parsed : parse_ensemble(text, "ensemble");
  find_members(spec, ".", "ensemble", names);
  return spec;
}

OwnMembers own_of(const std::map<std::string, std::variant<std::vector<Member>, Member>>& given) {
  OwnMembers own;
  for (const auto& [name, members] : given) {
    const auto* one = std::get_if<Member>(&members);
    own[name] = one ? std::vector{*one} : std::get<std::vector<Member>>(members);
  }
  return own;
}

template <class Any>
auto detect(const Any& detector, const SliceStack& stack, const ProgressArgument& progress) {
  return watched(progress, [&](const Progress& tell) { return detector(stack, tell); });
}

constexpr const char* call_text = R"(Find the blood of a study.

Parameters
----------
stack : ichdet.SliceStack
progress : None, True or callable
    True shows a bar of tqdm; a callable is given a stage's name and the fraction done.

Returns
-------
Detection)";

}  // namespace

void bind_ensemble_detector(py::module_& m) {
  const DetectorOptions defaults;
  const PrepareOptions network;
  py::class_<EnsembleDetector>(
      m, "EnsembleDetector",
      R"(Several models of any spacing, classes and kind as one, as docs/ensembles.md describes.

Each member answers on its own grid; slice by slice their probabilities are combined at the pixels of the native
slices. Load once, apply to many; calls may run in several threads at once.

Parameters
----------
file : str, PathLike, ichdet.EnsembleSpec or dict
    Path of the YAML file, of a folder with ensemble.yaml in it, or the name of an ensemble that came with ichdet; or
    what the file would say.
threads : int
    0 for as many as the machine has.
precision, engine, region, device, memory_mib, cache_folder
    As for Segmenter.
decision_threshold : float or None
    A study is positive from this probability on, in (0, 1); None: the ensemble's, else 0.5.
min_lesion_ml : float
    Smaller pieces are not listed as lesions, mL; their volume still counts.
top_voxels : int
    A slice's probability is the mean over this many of its highest probabilities of blood, unless the ensemble has a
    rule of its own.
networks : dict of str to Member or list of Member
    Networks of your own, by the name that the file has in place of a bundle's; of several the answers are averaged.

Raises
------
ichdet.Error
    weights: the file, or a member that is not there; options: members that do not go together, by name.

Examples
--------
>>> dense = lambda hu: torch.cat([0.5 - hu[:, :1], hu[:, :1] - 0.5], dim=1) * 40
>>> spec = {"name": "dense", "classes": [{"name": "background", "blood": False}, {"name": "blood", "blood": True}],
...         "input": {"orientation": "LPS", "spacing_mm": [4, 4, 4],
...                   "channels": [{"clip_hu": [0, 120], "scale_to": [0, 1]}]},
...         "patch": {"input": [16, 16, 16], "output": [16, 16, 16], "step": 0, "overlap": 0, "padding": "edge",
...                   "blending": "constant"}}
>>> ensemble = {"ensemble": 1, "name": "two", "rule": "mean", "members": [{"bundle": "dense"}, {"bundle": "denser"}]}
>>> own = {"dense": ichdet.nn.Member(dense, spec), "denser": ichdet.nn.Member(lambda x: dense(x - 0.05), spec)}
>>> detector = ichdet.nn.EnsembleDetector(ensemble, region="brain", networks=own)
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=24, thickness_mm=6, subsamples=1,
...                        hemorrhages=[ichdet.Hemorrhage("iph", 30)]).stack
>>> found = detector(stack)
>>> found.result.decision.positive, found.result.volumes_ml["blood"] > 15
(True, True))")
      .def(py::init([](const File& file, int threads, const std::string& precision, const std::string& engine,
                       const std::string& region, std::optional<double> decision_threshold, double min_lesion_ml,
                       int top_voxels, const std::map<std::string, std::variant<std::vector<Member>, Member>>& networks,
                       const std::string& device, double memory_mib, const Path& cache_folder) {
             const auto options = open_options(threads, precision, engine, region, decision_threshold, min_lesion_ml,
                                               top_voxels, device, memory_mib, cache_folder);
             const auto own = own_of(networks);
             auto spec = spec_of(file, own);
             const py::gil_scoped_release unlocked;
             return EnsembleDetector(std::move(spec), options.segmenter, options.classifier, options.detector, own);
           }),
           py::arg("file"), py::kw_only(), py::arg("threads") = defaults.threads, py::arg("precision") = "auto",
           py::arg("engine") = "auto", py::arg("region") = "head", py::arg("decision_threshold") = py::none(),
           py::arg("min_lesion_ml") = defaults.min_lesion_ml, py::arg("top_voxels") = defaults.top_voxels,
           py::arg("networks") = std::map<std::string, std::variant<std::vector<Member>, Member>>(),
           py::arg("device") = network.device, py::arg("memory_mib") = network.memory_mib, py::arg("cache_folder") = "")
      .def_property_readonly("spec", &EnsembleDetector::spec, "What the file says: ichdet.EnsembleSpec.")
      .def("__call__", &detect<EnsembleDetector>, py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(),
           call_text);

  py::class_<AnyDetector>(m, "AnyDetector", R"(What open_detector opens: a Detector, EnsembleDetector or SliceSegmenter.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=4, thickness_mm=30, subsamples=1).stack
>>> ichdet.nn.open_detector()(stack).result.decision.positive
False)")
      .def("__call__", &detect<AnyDetector>, py::arg("stack"), py::kw_only(), py::arg("progress") = py::none(),
           call_text);
  m.def(
      "open_detector",
      [](const std::variant<std::string, std::vector<std::string>>& model, int threads, const std::string& precision,
         const std::string& engine, const std::string& region, std::optional<double> decision_threshold,
         double min_lesion_ml, int top_voxels, const std::string& device, double memory_mib, const Path& cache_folder) {
        const py::gil_scoped_release unlocked;
        const auto* one = std::get_if<std::string>(&model);
        return open_detector(one != nullptr ? std::vector{*one} : std::get<std::vector<std::string>>(model),
                             open_options(threads, precision, engine, region, decision_threshold, min_lesion_ml,
                                          top_voxels, device, memory_mib, cache_folder));
      },
      py::arg("model") = default_detector, py::kw_only(), py::arg("threads") = defaults.threads,
      py::arg("precision") = "auto", py::arg("engine") = "auto", py::arg("region") = "head",
      py::arg("decision_threshold") = py::none(), py::arg("min_lesion_ml") = defaults.min_lesion_ml,
      py::arg("top_voxels") = defaults.top_voxels, py::arg("device") = network.device,
      py::arg("memory_mib") = network.memory_mib, py::arg("cache_folder") = "",
      R"(Open what finds blood, of whatever kind it is; without arguments the model that comes with ichdet.

Parameters
----------
model : str or list of str
    A bundle's name (`ichdet models list`) or folder, several, whose answers are averaged, or an ensemble's name, YAML
    file or folder.
threads, precision, engine, region, decision_threshold, min_lesion_ml, top_voxels, device, memory_mib, cache_folder
    As for EnsembleDetector.

Returns
-------
AnyDetector

Raises
------
ichdet.Error
    options: a bundle that marks no blood; weights, io: one that cannot be opened.

Examples
--------
>>> stack = ichdet.phantom(seed=1, rows=128, columns=128, pixel_mm=1.8, slices=4, thickness_mm=30, subsamples=1,
...                        hemorrhages=[ichdet.Hemorrhage("iph", 30)]).stack
>>> detector = ichdet.nn.open_detector()
>>> detector(stack).result.decision.positive
True)");
}

}  // namespace ichdet::python
