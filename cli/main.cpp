#include <exception>
#include <new>
#include <stdexcept>

#include "commands.h"
#include "output.h"
#include "relufit/version.h"

namespace {

using relufit::cli::complain;

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
  relufit::cli::add_certify(app, exit);
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

constexpr const char* kNoMemory = "not enough memory";

}  // namespace

int main(int argc, char** argv) {
  // Destructors of the JSON values that are printed ask for memory, and cannot throw where there is none.
  std::set_terminate([] {
    complain(kNoMemory);
    std::_Exit(1);
  });
  try {
    const int code = run(argc, argv);
    relufit::cli::flush_output();
    return code;
  } catch (const std::invalid_argument& error) {
    complain(error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    complain(kNoMemory);
    return 1;
  } catch (const std::exception& error) {
    complain(error.what());
    return 1;
  }
}
