/// \file
/// The commands of the program. Each adds itself to the application; its callback throws what main turns into exit
/// codes.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "relufit/ranks.h"

namespace relufit::cli {

/// Exit codes: 0 success, 2 bad input, 130 interrupted (best network saved), 1 any other failure.
struct ExitCode {
  int value = 0;
};

/// Commands that work together with other processes, where mpirun started several (else null).
void add_train(CLI::App& app, ExitCode& exit, const Ranks* ranks);
void add_predict(CLI::App& app, const Ranks* ranks);
void add_evaluate(CLI::App& app, const Ranks* ranks);

void add_certify(CLI::App& app, ExitCode& exit);
void add_export(CLI::App& app, ExitCode& exit);
void add_import(CLI::App& app, ExitCode& exit);
void add_export_sdp(CLI::App& app);
void add_reproduce(CLI::App& app, ExitCode& exit);

}  // namespace relufit::cli
