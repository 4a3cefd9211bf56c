#include <fmt/format.h>

#include <cstdio>
#include <stdexcept>

#include "commands.h"
#include "relufit/version.h"

namespace {

/// One line, whatever file names and values are part of the message.
void complain(std::string message) {
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  fmt::print(stderr, "relufit: {}\n", message);
}

int run(int argc, char** argv) {
  CLI::App app{"relufit trains ReLU networks by sequential convex relaxation.", "relufit"};
  app.set_version_flag("--version", relufit::version);
  app.require_subcommand(1);
  app.footer(
      "Example:\n  relufit train data/diabetes.csv --targets progression --hidden 10 --model diabetes.json\n"
      "  relufit predict diabetes.json data/diabetes.csv --out predictions.csv");
  relufit::cli::ExitCode exit;
  relufit::cli::add_train(app, exit);
  relufit::cli::add_predict(app);
  relufit::cli::add_evaluate(app);
  relufit::cli::add_export(app, exit);
  relufit::cli::add_import(app, exit);
  relufit::cli::add_reproduce(app, exit);
  relufit::cli::add_export_sdp(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    complain(fmt::format("{} (see relufit --help)", error.what()));
    return 2;
  }
  return exit.value;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int code = run(argc, argv);
    if (std::fflush(stdout) != 0) throw std::runtime_error("standard output: cannot be written");
    return code;
  } catch (const std::invalid_argument& error) {
    complain(error.what());
    return 2;
  } catch (const std::exception& error) {
    complain(error.what());
    return 1;
  }
}
