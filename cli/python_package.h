/// \file
/// What the program leaves to the Python package, which has the libraries for it.
#pragma once

#include <string>
#include <vector>

namespace relufit::cli {

/// Runs `python3 -m relufit` (the python3 of the PATH) with these arguments; its messages and its exit code are the
/// program's own. Throws std::runtime_error where that interpreter does not have the package.
int run_python_package(const std::vector<std::string>& arguments);

}  // namespace relufit::cli
