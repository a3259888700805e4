#pragma once

#include <pybind11/typing.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "arguments.hpp"

// What plain values and values on a grid have in Python: pickling, arrays.
namespace ichdet::python {

/// Calls `f` without the interpreter's lock and gives what it returns.
template <class F>
auto unlocked(F&& f) {
  const py::gil_scoped_release release;
  return f();
}

/// A shape or the like: a tuple in Python, where an array would be a list.
template <class T, std::size_t N>
auto tuple_of(const std::array<T, N>& values) {
  return std::apply([](auto... parts) { return std::make_tuple(parts...); }, values);
}

/// Pickling and copy.deepcopy by the values that `get` gives and `make` takes.
template <class... Values, class Class, class Get, class Make>
void pickled_as(Class& bound, Get get, Make make) {
  using State = py::typing::Tuple<Values...>;
  bound.def(py::pickle(
      [get](const typename Class::type& value) {
        return State(std::apply([](auto&&... parts) { return py::make_tuple(std::move(parts)...); }, get(value)));
      },
      [make](const State& state) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) { return make(state[I].template cast<Values>()...); }
        (std::index_sequence_for<Values...>{});
      }));
}

/// The same for a plain struct, by its members.
template <class Struct, class... Members, class... Options>
void pickled(py::class_<Struct, Options...>& bound, Members Struct::*... members) {
  pickled_as<Members...>(
      bound, [=](const Struct& value) { return std::make_tuple(value.*members...); },
      [=](Members... values) {
        Struct value;
        ((value.*members = std::move(values)), ...);
        return value;
      });
}

/// A member of a plain struct, as Python names and explains it.
template <class Struct, class Member>
struct Field {
  const char* name;
  Member Struct::*member;
  const char* doc;
};

/// A default value as a signature shows it: what reads back as Python, else "...".
template <class Value>
std::string default_text(const Value& value) {
  const std::string text = py::repr(py::cast(value));
  return text.starts_with('<') || text.find("(") != std::string::npos ? "..." : text;
}
inline std::string default_text(const Eigen::Vector3d& value) {
  const auto number = [](double x) { return std::string(py::repr(py::float_(x))); };
  return "(" + number(value[0]) + ", " + number(value[1]) + ", " + number(value[2]) + ")";
}

/// A plain struct: made from keywords with C++'s defaults, read and written by member, pickled.
template <class Struct, class... Members, class... Options>
void plain_struct(py::class_<Struct, Options...>& bound, Field<Struct, Members>... fields) {
  const Struct usual;
  bound.def(py::init([=](Members... values) {
              Struct value;
              ((value.*fields.member = std::move(values)), ...);
              return value;
            }),
            py::kw_only(), py::arg_v(fields.name, usual.*fields.member, default_text(usual.*fields.member).c_str())...,
            "See the class.");
  (bound.def_readwrite(fields.name, fields.member, fields.doc), ...);
  pickled(bound, fields.member...);
}

/// The class reads as an array wherever Python knows arrays: np.asarray(x), memoryview(x), torch.from_dlpack(x). All
/// share its memory. `values`: the class's Array.
template <class Class, class T, std::size_t N, class Struct>
void as_array(Class& bound, Array<T, N> Struct::*values) {
  bound.def_buffer([values](Struct& self) {
    auto& array = self.*values;
    const std::vector<py::ssize_t> shape(array.shape().begin(), array.shape().end());
    return py::buffer_info(array.data(), shape, py::detail::c_strides(shape, sizeof(T)), !writeable(array));
  });
  bound.def(
      "__array__",
      [values](const Struct& self, const std::optional<DTypeArgument>& dtype, std::optional<bool> copy) {
        py::array lent = lend(self.*values);
        if (!dtype && !copy.value_or(false)) return lent;
        return py::array(py::module_::import("numpy").attr("array")(
            lent, py::arg("dtype") = dtype ? py::object(dtype->value) : py::none(), py::arg("copy") = copy));
      },
      py::arg("dtype") = py::none(), py::arg("copy") = py::none(),
      "The voxels as a NumPy array, shared unless another dtype or a copy is asked for.");
  using Pair = std::optional<std::pair<int, int>>;
  bound.def(
      "__dlpack__",
      [values](const Struct& self, std::optional<std::int64_t> stream, Pair max_version, Pair dl_device,
               std::optional<bool> copy) {
        py::dict given;
        if (stream) given["stream"] = *stream;
        if (max_version) given["max_version"] = *max_version;
        if (dl_device) given["dl_device"] = *dl_device;
        if (copy) given["copy"] = *copy;
        return py::capsule(lend(self.*values).attr("__dlpack__")(**given));
      },
      py::kw_only(), py::arg("stream") = py::none(), py::arg("max_version") = py::none(),
      py::arg("dl_device") = py::none(), py::arg("copy") = py::none(),
      "The voxels for np.from_dlpack, torch.from_dlpack and their like, shared.");
  bound.def(
      "__dlpack_device__", [](const Struct&) { return std::pair(1, 0); }, "(1, 0): memory of the CPU.");
}

}  // namespace ichdet::python
