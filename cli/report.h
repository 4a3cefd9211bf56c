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

/// The rows of a CSV file with inputs, targets or label, and categories as of these data or this model, and sample
/// weights where their column is named.
template <class DataOrModel>
Dataset read_like(const std::string& path, const DataOrModel& like, const std::string& weights = "") {
  const std::vector<std::string>& inputs = like.input_names;
  std::vector<std::string> numbers;
  if (!weights.empty()) numbers.push_back(weights);
  if (!like.classification.empty()) {
    const Table table = read_inputs(path, inputs, like.categories, numbers, {like.classification.label});
    return make_classification(table, like.classification, inputs, weights);
  }
  numbers.insert(numbers.begin(), like.target_names.begin(), like.target_names.end());
  return make_dataset(read_inputs(path, inputs, like.categories, numbers), like.target_names, inputs, weights);
}

/// The samples of NumPy files with the inputs and targets of this model, in their order.
Dataset read_like(const ArrayFiles& files, const Model& model);

/// Inputs x samples of such a file.
Matrix read_inputs_like(const std::string& inputs_file, const Model& model);

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
