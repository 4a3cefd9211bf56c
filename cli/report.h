/// \file
/// How commands print measures of fit.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "relufit/constraints.h"
#include "relufit/model.h"

namespace relufit::cli {

/// A table: one line per target, and one over all where there are several.
void print_evaluation(const std::string& title, const std::vector<std::string>& targets, const Evaluation& evaluation);

/// {"targets": {name: measures}, "all": measures}; measures that are not finite become null.
nlohmann::json evaluation_json(const std::vector<std::string>& targets, const Evaluation& evaluation);

/// One line per constraint, worst slack last; nothing where there are none.
void print_constraints(const std::vector<ConstraintCheck>& checks);

/// [{"name": text, "slack": number, "holds": whether slack >= -1e-9}].
nlohmann::json constraints_json(const std::vector<ConstraintCheck>& checks);

/// Throws std::invalid_argument unless a file can be created at this path: a mistyped folder should not cost a training
/// run.
void check_writable(const std::string& path);

/// Throws std::invalid_argument where an output is one of the other files of a command, which would be lost. Empty
/// paths stand for no file.
void check_distinct(const std::string& output, const std::vector<std::string>& others);

}  // namespace relufit::cli
