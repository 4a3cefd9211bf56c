#include <algorithm>
#include <exception>
#include <new>
#include <stdexcept>

#include "commands.h"
#include "output.h"
#include "relufit/version.h"
#include "world.h"

namespace {

using relufit::cli::complain;
using relufit::cli::World;

int run(int argc, char** argv, const relufit::Ranks* ranks) {
  CLI::App app{"relufit trains ReLU networks by sequential convex relaxation.", "relufit"};
  app.set_version_flag("--version", relufit::version);
  app.require_subcommand(1);
  app.footer(
      "Example:\n  relufit train data/diabetes.csv --targets progression --hidden 10 --model diabetes.json\n"
      "  relufit predict diabetes.json data/diabetes.csv --out predictions.csv");
  relufit::cli::ExitCode exit;
  relufit::cli::add_train(app, exit, ranks);
  relufit::cli::add_predict(app, ranks);
  relufit::cli::add_evaluate(app, ranks);
  const std::vector<CLI::App*> together = app.get_subcommands(nullptr);
  relufit::cli::add_certify(app, exit);
  relufit::cli::add_export(app, exit);
  relufit::cli::add_import(app, exit);
  relufit::cli::add_reproduce(app, exit);
  relufit::cli::add_export_sdp(app);
  for (CLI::App* command : app.get_subcommands(nullptr)) {
    if (ranks == nullptr || std::find(together.begin(), together.end(), command) != together.end()) continue;
    command->callback([command] {
      throw std::invalid_argument(command->get_name() + ": started as several processes, expected one");
    });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      if (relufit::cli::is_first(ranks)) app.exit(error);
      return 0;
    }
    throw std::invalid_argument(fmt::format("{} (see relufit --help)", error.what()));
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
    const World world;
    const auto failed = [&](int code, const char* message) {
      world.end_with(code, [&] { complain(message); });
      return code;
    };
    try {
      const int code = run(argc, argv, world.ranks());
      relufit::cli::flush_output();
      return code;
    } catch (const std::invalid_argument& error) {
      return failed(2, error.what());
    } catch (const std::bad_alloc&) {
      return failed(1, kNoMemory);
    } catch (const std::exception& error) {
      return failed(1, error.what());
    }
  } catch (const std::exception& error) {  // there is no world
    complain(error.what());
    return 2;
  }
}
