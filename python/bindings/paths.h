/// \file
/// Names of files between Python and the library, whose names are bytes.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

namespace relufit::python {

/// A name of a file (str, bytes or os.PathLike) as the system has it. Raises TypeError for others, and ValueError for
/// names with a zero byte, at which the system would cut them.
inline std::string path_from(nanobind::handle path) {
  PyObject* bytes = nullptr;
  if (PyUnicode_FSConverter(path.ptr(), &bytes) == 0) throw nanobind::python_error();
  const nanobind::object owner = nanobind::steal(bytes);
  return {PyBytes_AsString(bytes), static_cast<std::size_t>(PyBytes_Size(bytes))};
}

}  // namespace relufit::python
