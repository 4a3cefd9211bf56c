/// \file
/// Arrays between NumPy and Eigen. The library has one column per sample, Python one row per sample: in memory a
/// C-ordered array (samples, n) and a column-major matrix (n, samples) are the same, so that samples cross without a
/// copy.
#pragma once

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "relufit/model.h"

namespace relufit::python {

namespace nb = nanobind;

using InputArray = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
using OutputArray = nb::ndarray<nb::numpy, double>;
using ViewArray = nb::ndarray<nb::numpy, const double>;  // read-only

/// `value` as a C-ordered array of doubles: itself where it is one, else a copy. `name` is for messages.
inline InputArray as_array(nb::handle value, const std::string& name, std::size_t dimensions, const char* meaning) {
  nb::object array;
  try {
    nb::module_ numpy = nb::module_::import_("numpy");
    array = numpy.attr("asarray")(value, nb::arg("dtype") = numpy.attr("float64"), nb::arg("order") = "C");
  } catch (const nb::python_error& error) {
    throw std::invalid_argument(fmt::format("{}: not an array of numbers ({})", name, nb::str(error.value()).c_str()));
  }
  const auto found = nb::cast<std::size_t>(array.attr("ndim"));
  if (found != dimensions) {
    throw std::invalid_argument(fmt::format("{}: {} dimensions, expected {} ({})", name, found, dimensions, meaning));
  }
  return nb::cast<InputArray>(array);
}

/// Samples in the memory of a NumPy array, which it keeps alive: n x samples.
class Samples {
 public:
  Samples(nb::handle value, const std::string& name) : array_(as_array(value, name, 2, "samples, values")) {}
  Eigen::Map<const Matrix> columns() const {
    return {array_.data(), static_cast<Index>(array_.shape(1)), static_cast<Index>(array_.shape(0))};
  }

 private:
  InputArray array_;
};

/// Inputs of a model: an array by position, a frame by the model's names and categories. Throws std::invalid_argument
/// where a column is missing, a value is not finite or a text is no level. (model.cpp)
Samples raw_inputs(const Model& model, nb::handle inputs);

/// From and to a dict of columns and lists of their levels. (model.cpp)
std::vector<Category> categories_from(nb::dict levels);
nb::dict categories_to(const std::vector<Category>& categories);

/// A copy of samples: n x samples.
inline Matrix samples_from(nb::handle value, const std::string& name) { return Samples(value, name).columns(); }

/// A copy of a matrix in its usual orientation, such as weights.
inline Matrix matrix_from(nb::handle value, const std::string& name) { return samples_from(value, name).transpose(); }

inline Vector vector_from(nb::handle value, const std::string& name) {
  const InputArray array = as_array(value, name, 1, "a list of values");
  return Eigen::Map<const Vector>(array.data(), static_cast<Index>(array.shape(0)));
}

namespace detail {
/// Hands a matrix over to Python: its memory is freed with the array.
inline std::pair<double*, nb::capsule> give(Matrix matrix) {
  auto owner = std::make_unique<Matrix>(std::move(matrix));
  double* data = owner->data();
  return {data, nb::capsule(owner.release(), [](void* p) noexcept { delete static_cast<Matrix*>(p); })};
}
}  // namespace detail

/// Array (samples, n) that takes over a matrix n x samples.
inline OutputArray to_samples(Matrix matrix) {
  const auto rows = static_cast<std::size_t>(matrix.rows());
  const auto columns = static_cast<std::size_t>(matrix.cols());
  auto [data, owner] = detail::give(std::move(matrix));
  return OutputArray(data, {columns, rows}, owner);
}

/// Array of a matrix's own shape that takes it over (Fortran order).
inline OutputArray to_matrix(Matrix matrix) {
  const Index rows = matrix.rows();
  const Index columns = matrix.cols();
  auto [data, owner] = detail::give(std::move(matrix));
  return OutputArray(data, {static_cast<std::size_t>(rows), static_cast<std::size_t>(columns)}, owner, {1, rows});
}

/// Read-only array over a matrix that lives as long as `owner`.
inline ViewArray view(const Matrix& matrix, nb::handle owner) {
  return ViewArray(matrix.data(), {static_cast<std::size_t>(matrix.rows()), static_cast<std::size_t>(matrix.cols())},
                   owner, {1, matrix.rows()});
}

inline ViewArray view(const Vector& vector, nb::handle owner) {
  return ViewArray(vector.data(), {static_cast<std::size_t>(vector.size())}, owner);
}

/// Read-only array (samples, n) over a matrix n x samples.
inline ViewArray view_samples(const Matrix& matrix, nb::handle owner) {
  return ViewArray(matrix.data(), {static_cast<std::size_t>(matrix.cols()), static_cast<std::size_t>(matrix.rows())},
                   owner);
}

/// Array (values,) that takes over a list of numbers.
template <class Value>
nb::ndarray<nb::numpy, Value> to_array(std::vector<Value> values) {
  auto kept = std::make_unique<std::vector<Value>>(std::move(values));
  const std::size_t size = kept->size();
  Value* data = kept->data();
  const nb::capsule owner(kept.release(), [](void* p) noexcept { delete static_cast<std::vector<Value>*>(p); });
  return nb::ndarray<nb::numpy, Value>(data, {size}, owner);
}

/// Layers from a list of pairs (weights, bias).
inline std::vector<Layer> layers_from(nb::sequence layers) {
  std::vector<Layer> result;
  for (nb::handle entry : layers) {
    const std::string place = fmt::format("layers[{}]", result.size());
    if (!nb::isinstance<nb::sequence>(entry) || nb::len(entry) != 2) {
      throw std::invalid_argument(fmt::format("{}: expected a pair (weights, bias)", place));
    }
    result.push_back({matrix_from(entry[0], place + ".weights"), vector_from(entry[1], place + ".bias")});
  }
  return result;
}

/// List of pairs (weights, bias), read-only arrays over layers that live as long as `owner`.
inline nb::list view_layers(const std::vector<Layer>& layers, nb::handle owner) {
  nb::list result;
  for (const Layer& layer : layers) result.append(nb::make_tuple(view(layer.weights, owner), view(layer.bias, owner)));
  return result;
}

}  // namespace relufit::python
