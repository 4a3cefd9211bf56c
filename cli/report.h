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

/// The rows of a CSV file with these inputs, and targets or the classes' label, and sample weights where their
/// column is named.
Dataset read_like(const std::string& path, const Classification& classification,
                  const std::vector<std::string>& targets, const std::vector<std::string>& inputs,
                  const std::string& weights = "");

/// How well a model does on data: print_evaluation and the mean loss, or accuracy, log loss and counts of classes.
void print_report(const std::string& title, const Model& model, const Dataset& data);

/// evaluation_json, with "loss": {"name", "parameter", "mean"} where it is neither exact nor squared; or {"samples",
/// "accuracy", "log_loss", "classes": names, "confusion": counts, rows being true classes}.
nlohmann::json report_json(const Model& model, const Dataset& data);

/// One line per constraint, worst slack last; nothing where there are none.
void print_constraints(const std::vector<ConstraintCheck>& checks);

/// [{"name": text, "slack": number, "holds": whether slack >= -1e-9}].
nlohmann::json constraints_json(const std::vector<ConstraintCheck>& checks);

}  // namespace relufit::cli
