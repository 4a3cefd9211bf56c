#include "python_package.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace relufit::cli {

namespace {

constexpr int kNotFound = 127;  // as shells have it

/// The package's program. `python3 -m` would look for modules in the current folder first, where files of the user's
/// own may have their names (relufit.py, json.py). That folder is the empty entry; option -P, which leaves it out, is
/// newer than some Python that the package is for, and -I would leave out the user's packages as well.
constexpr const char* kRunPackage = R"(import sys
sys.path[:] = [folder for folder in sys.path if folder]
import importlib.util
if importlib.util.find_spec('relufit') is None:
    sys.exit(127)
from relufit.__main__ import main
sys.exit(main())
)";

/// Empty entries of PYTHONPATH, which `PYTHONPATH=$PYTHONPATH:folder` often has, mean the current folder as well.
void leave_out_current_folder() {
  const char* given = std::getenv("PYTHONPATH");
  if (given == nullptr) return;
  std::string kept;
  std::istringstream entries(given);
  for (std::string entry; std::getline(entries, entry, ':');) {
    if (!entry.empty()) kept += (kept.empty() ? "" : ":") + entry;
  }
  ::setenv("PYTHONPATH", kept.c_str(), 1);
}

/// Exit code of `python3` with these arguments; kNotFound where there is none.
int run_python(std::vector<std::string> arguments) {
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

int run_python_package(const std::vector<std::string>& arguments, const std::string& what, const std::string& extra) {
  leave_out_current_folder();
  std::vector<std::string> command = {"-c", kRunPackage};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const int code = run_python(std::move(command));
  if (code == kNotFound) {
    throw std::runtime_error(
        fmt::format("{} needs the Python package for the python3 of the PATH: pip install '.[{}]'", what, extra));
  }
  return code;
}

}  // namespace relufit::cli
