#include "python_package.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

namespace relufit::cli {

namespace {

/// Exit code of `python3` with these arguments; 127, as shells have it, where there is none.
int run_python(std::vector<std::string> arguments) {
  constexpr int kNotFound = 127;
  arguments.insert(arguments.begin(), "python3");
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  std::fflush(stdout);
  pid_t process = 0;
  if (posix_spawnp(&process, "python3", nullptr, nullptr, pointers.data(), environ) != 0) return kNotFound;
  int status = 0;
  if (waitpid(process, &status, 0) < 0 || !WIFEXITED(status)) return 1;
  return WEXITSTATUS(status);
}

}  // namespace

int run_python_package(const std::vector<std::string>& arguments) {
  constexpr const char* kFind = "import importlib.util, sys; sys.exit(importlib.util.find_spec('relufit') is None)";
  if (run_python({"-c", kFind}) != 0) {
    throw std::runtime_error("ONNX needs the Python package for the python3 of the PATH: pip install '.[onnx]'");
  }
  std::vector<std::string> command = {"-m", "relufit"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_python(std::move(command));
}

}  // namespace relufit::cli
