#pragma once

#include <pybind11/typing.h>

#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "convert.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/evaluate/bootstrap.hpp"
#include "ichdet/evaluate/confusion.hpp"
#include "ichdet/evaluate/overlap.hpp"

namespace ichdet::python {

using DoubleArray = py::array_t<double, py::array::c_style | py::array::forcecast>;
using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using IntArray = py::array_t<std::int32_t, py::array::c_style | py::array::forcecast>;

/// 0 or 1 for each case, of any type that holds numbers. Contiguous bool and uint8 are read in place.
/// Throws Error(options) that names the row of another value.
class LabelArray {
 public:
  explicit LabelArray(const py::array& values);
  operator std::span<const std::uint8_t>() const { return {data_, std::size_t(held_.size())}; }
  std::size_t size() const { return std::size_t(held_.size()); }

 private:
  py::array held_;
  const std::uint8_t* data_;
};

/// A mask (z, y, x) of any type: what is not 0 is inside. Contiguous bool and bytes are read in place.
struct MaskArray {
  evaluate::Mask mask;
};
MaskArray mask_from(const py::array& values);

/// A row of such values.
struct MaskRow {
  std::vector<std::uint8_t> values;
};

/// An array of any numbers or names.
struct NameArray {
  py::array values;
};

/// A dict by name, in the order that it was made in.
template <class Value>
class Named : public py::dict {
  using py::dict::dict;
};

/// What json.loads gives for an object.
class JsonObject : public py::dict {
  using py::dict::dict;
};

inline std::span<const double> span_of(const DoubleArray& values) {
  return {values.data(), std::size_t(values.size())};
}
inline py::array_t<double> to_numpy(const std::vector<double>& values) {
  return py::array_t<double>(py::ssize_t(values.size()), values.data());
}

using Pair = std::pair<double, double>;
inline Pair pair_of(const evaluate::Interval& interval) { return {interval.low, interval.high}; }
inline std::optional<Pair> pair_of(const std::optional<evaluate::Interval>& interval) {
  return interval ? std::optional(pair_of(*interval)) : std::nullopt;
}

/// A getter for an array that lives in the object itself: its memory, not a copy.
template <class Class, class Value>
auto array_in(std::vector<Value> Class::*field) {
  return [field](const py::object& self) {
    const auto& values = self.cast<const Class&>().*field;
    return py::array_t<Value>(py::ssize_t(values.size()), values.data(), self);
  };
}

/// A function of numbers, of Python's and, broadcast, of arrays.
template <class... Numbers, class... Arguments>
void def_elementwise(py::module_& m, const char* name, double (*function)(Numbers...), const char* doc,
                     const Arguments&... arguments) {
  m.def(name, function, py::arg(arguments).noconvert()..., doc);
  m.def(
      name,
      [each = py::vectorize(function)](const std::conditional_t<true, DoubleArray, Numbers>&... values) mutable {
        return py::array_t<double>(each(values...));
      },
      arguments...);
}

/// Lets others run while `work` takes longer than a lock does.
inline std::optional<py::gil_scoped_release> unlocked_for(std::size_t work) {
  return work > 2000 ? std::optional<py::gil_scoped_release>(std::in_place) : std::nullopt;
}

/// A number in a few digits.
std::string few_digits(double value);
std::string text_of(const evaluate::Proportion& proportion);

/// None, or what is called with a stage's name and its fraction done.
using Report = py::typing::Optional<py::typing::Callable<void(std::string, double)>>;

evaluate::BootstrapOptions bootstrap_options(std::int64_t resamples, std::uint64_t seed, double confidence,
                                             int threads);
/// Patients numbered from 0; each row its own where there is none.
std::vector<std::int32_t> patients_from(const std::optional<NameArray>& patients, std::size_t rows);

void bind_evaluate_rates(py::module_& m);
void bind_evaluate_curves(py::module_& m);
void bind_evaluate_bootstrap(py::module_& m);
void bind_evaluate_agreement(py::module_& m);
void bind_evaluate_masks(py::module_& m);
void bind_evaluate_cohort(py::module_& m);
void bind_evaluate_figures(py::module_& m);
void bind_evaluate_drift(py::module_& m);

}  // namespace ichdet::python

namespace pybind11::detail {

template <>
struct handle_type_name<ichdet::python::JsonObject> {
  static constexpr auto name = const_name("dict[str, typing.Any]");
};

template <class Value>
struct handle_type_name<ichdet::python::Named<Value>> {
  static constexpr auto name = const_name("collections.abc.Mapping[str, ") + make_caster<Value>::name + const_name("]");
};

template <class Wrapper, class Make>
struct array_wrapper_caster {
  static constexpr auto name = const_name("numpy.typing.ArrayLike");
  template <class>
  using cast_op_type = const Wrapper&;
  operator const Wrapper&() const { return *value; }
  bool load(handle source, bool convert) {
    if (!convert && !isinstance<array>(source)) return false;
    const auto values = pybind11::array::ensure(source, pybind11::array::c_style);
    if (!values) return false;
    value.emplace(Make{}(values));
    return true;
  }
  std::optional<Wrapper> value;
};

struct make_labels {
  ichdet::python::LabelArray operator()(const array& values) const { return ichdet::python::LabelArray(values); }
};
struct make_mask {
  ichdet::python::MaskArray operator()(const array& values) const { return ichdet::python::mask_from(values); }
};
struct make_mask_row {
  ichdet::python::MaskRow operator()(const array& values) const {
    const array_t<bool, array::c_style | array::forcecast> inside(values);
    return {{inside.data(), inside.data() + inside.size()}};
  }
};
struct make_names {
  ichdet::python::NameArray operator()(const array& values) const { return {values}; }
};
template <>
struct type_caster<ichdet::python::LabelArray> : array_wrapper_caster<ichdet::python::LabelArray, make_labels> {};
template <>
struct type_caster<ichdet::python::MaskArray> : array_wrapper_caster<ichdet::python::MaskArray, make_mask> {};
template <>
struct type_caster<ichdet::python::MaskRow> : array_wrapper_caster<ichdet::python::MaskRow, make_mask_row> {};
template <>
struct type_caster<ichdet::python::NameArray> : array_wrapper_caster<ichdet::python::NameArray, make_names> {};

}  // namespace pybind11::detail
