#include <nanobind/stl/string.h>

#include <cstring>
#include <stdexcept>

#include "arrays.h"
#include "bindings.h"
#include "paths.h"
#include "relufit/data.h"
#include "relufit/files.h"
#include "relufit/version.h"

namespace relufit::python {

namespace {

/// Messages may name files, which need not be UTF-8: such bytes are escaped, where nanobind would raise
/// UnicodeDecodeError.
void set_error(PyObject* type, const char* message) {
  const auto size = static_cast<Py_ssize_t>(std::strlen(message));
  const nanobind::object text = nanobind::steal(PyUnicode_DecodeUTF8(message, size, "backslashreplace"));
  if (text.is_valid()) PyErr_SetObject(type, text.ptr());
}

void translate(const std::exception_ptr& exception, void*) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::invalid_argument& error) {
    set_error(PyExc_ValueError, error.what());
  } catch (const std::runtime_error& error) {
    set_error(PyExc_RuntimeError, error.what());
  }
}

void bind_files(nanobind::module_& module) {
  namespace nb = nanobind;
  using namespace nanobind::literals;
  module.def(
      "check_output", [](nb::handle path) { check_output(path_from(path)); }, "path"_a,
      nb::sig("def check_output(path: str | bytes | os.PathLike) -> None"),
      "ValueError where `write_file` would fail, as far as can be told; the file stays as it is.");
  module.def(
      "write_file", [](nb::handle path, const std::string& text) { write_file(path_from(path), text); }, "path"_a,
      "text"_a, nb::sig("def write_file(path: str | bytes | os.PathLike, text: str) -> None"),
      "Writes a text, UTF-8, whole or not at all.");
  module.def(
      "read_inputs",
      [](nb::handle path, const Model& model) {
        const Table table = read_inputs(path_from(path), model.input_names, model.categories);
        return to_samples(select_columns(table, model.input_names));
      },
      "path"_a, "model"_a, nb::sig("def read_inputs(path: str | bytes | os.PathLike, model: Model) -> numpy.ndarray"),
      "Raw inputs (samples, inputs) of the rows of a CSV file, as the program reads them for a model.");
}

}  // namespace

}  // namespace relufit::python

NB_MODULE(_core, module) {
  module.doc() = "The C++ library relufit: see relufit and relufit.core.";
  module.attr("version") = relufit::version;
  nanobind::register_exception_translator(&relufit::python::translate);
  relufit::python::bind_classification(module);
  relufit::python::bind_training_record(module);
  relufit::python::bind_model(module);
  relufit::python::bind_results(module);
  relufit::python::bind_training(module);
  relufit::python::bind_certificate(module);
  relufit::python::bind_relaxation(module);
  relufit::python::bind_files(module);
}
