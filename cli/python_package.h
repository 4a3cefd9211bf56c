/// \file
/// What the program leaves to the Python package, which has the libraries for it.
#pragma once

#include <string>
#include <vector>

namespace relufit::cli {

/// Runs what `python3 -m relufit` (the python3 of the PATH) does with these arguments, but for files in the current
/// folder, which are no modules of it; its messages and its exit code are the program's own. Throws std::runtime_error
/// where that interpreter does not have the package, which says that `what` needs it, with the extra `extra`.
int run_python_package(const std::vector<std::string>& arguments, const std::string& what = "ONNX",
                       const std::string& extra = "onnx");

}  // namespace relufit::cli
