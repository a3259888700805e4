// After pybind11's own headers: torch's caster of at::Tensor.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "callable.hpp"
#include "ichdet/core/error.hpp"
#include "spec_argument.hpp"

namespace ichdet::python {
namespace {

Member make(const TensorFunction& network, const SpecArgument& spec, const std::string& name,
            const std::string& version, const std::string& sha256) {
  if (py::getattr(network, "training", py::bool_(false)).is(py::bool_(true))) {
    throw Error(ErrorCode::options, "network: it is in training mode; call eval() first");
  }
  Member member(spec_of(spec), held(network));
  if (!name.empty()) member.spec.name = name;
  if (!version.empty()) member.spec.version = version;
  member.identity = {member.spec.name, member.spec.version, sha256};
  if (py::hasattr(network, "forward_features") && py::hasattr(network, "forward_head")) {
    member.features = held(network.attr("forward_features"));
    member.head = held(network.attr("forward_head"));
  }
  return member;
}

}  // namespace

void bind_member(py::module_& m) {
  py::class_<Member>(m, "Member", R"(A network of your own, where a bundle could stand: in Segmenter, SliceClassifier and their kin.

Parameters
----------
network : callable
    torch.Tensor, float32 on the CPU, (image, channel, row, column) or (image, channel, z, y, x), to logits: of a
    segmenter of volumes (image, class, z, y, x), of slices (image, class, row, column), of a classifier (image,
    class). A torch.nn.Module has to be in evaluation mode. Where it has methods `forward_features` and
    `forward_head`, class activation maps use them. It is called without gradients, under Python's lock, from
    whichever thread needs it; what it raises comes through. It must not mix the images of a batch.
spec : str, PathLike, ichdet.ModelSpec or dict
    What it reads and answers: that of a bundle, by name or folder, or as it is; or a dict as bundle.json has it, in which
    version, architecture, provenance, licence, training_data, metrics and weights may be left out.
name, version, sha256 : str
    What stands for it in results; empty: the spec's name and version, no hash.

Raises
------
ichdet.Error
    options: the network is in training mode. weights: the spec is not as it has to be; the message names the key.

Examples
--------
>>> brightest = lambda images: torch.stack([0 * images.amax((1, 2, 3)), 9 * images.amax((1, 2, 3)) - 8], dim=1)
>>> member = ichdet.nn.Member(brightest, "s1", name="brightest")
>>> member
<ichdet.nn.Member brightest, slice classification>
>>> ichdet.nn.SliceClassifier([member, member]).classes
['no hemorrhage', 'hemorrhage'])")
      .def(py::init(&make), py::arg("network"), py::arg("spec"), py::kw_only(), py::arg("name") = "",
           py::arg("version") = "", py::arg("sha256") = "")
      .def_readonly("spec", &Member::spec, "What it reads and answers: ichdet.ModelSpec.")
      .def_readonly("identity", &Member::identity, "What stands for it in results: ichdet.BundleIdentity.")
      .def_property_readonly(
          "task", [](const Member& member) { return to_string(member.spec.task); },
          "'segmentation', 'slice classification', 'slice segmentation' or 'exam classification'.")
      .def("__repr__", [](const Member& member) {
        return "<ichdet.nn.Member " + member.spec.name + ", " + to_string(member.spec.task) + ">";
      });
}

}  // namespace ichdet::python
