#include "relufit/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include "data/model_checks.h"
#include "files/text.h"
#include "parallel/chunks.h"

namespace relufit {
namespace {

using detail::list_of;
using detail::shown;

/// Finds columns by name, each in the same time however many there are.
class Columns {
 public:
  explicit Columns(const Table& table) : table_(table) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) positions_.emplace(table.columns[i], i);
  }

  auto operator[](const std::string& name) const {
    const auto found = positions_.find(name);
    if (found != positions_.end()) return table_.values.col(static_cast<Index>(found->second));
    throw std::invalid_argument(fmt::format("{}: {}", table_.source, detail::no_column(name, table_.columns)));
  }

 private:
  const Table& table_;
  std::unordered_map<std::string_view, std::size_t> positions_;
};

void check_not_repeated(const Table& table, const std::string& name, std::set<std::string>& seen) {
  if (!seen.insert(name).second) {
    throw std::invalid_argument(fmt::format("{}: column {} is named more than once, expected once as target or input",
                                            table.source, shown(name)));
  }
}

/// Rows the training cannot use, whoever built the dataset. Samples count from `first`.
void check_well_formed(const Matrix& values, const std::vector<std::string>& names, Index samples, Index first,
                       const char* what) {
  if (values.cols() != samples) {
    throw std::invalid_argument(fmt::format("{} samples of {}s, expected {}", values.cols(), what, samples));
  }
  if (values.rows() < 1) throw std::invalid_argument(fmt::format("no {}, expected at least 1", what));
  if (static_cast<Index>(names.size()) != values.rows()) {
    throw std::invalid_argument(fmt::format("{} {} names, expected {}", names.size(), what, values.rows()));
  }
  // What a model file could not hold is refused before training, not after it.
  const std::string problem = names_problem(fmt::format("{}_names", what), names);
  if (!problem.empty()) throw std::invalid_argument(problem);
  if (values.allFinite()) return;
  for (Index row = 0; row < values.rows(); ++row) {
    for (Index column = 0; column < samples; ++column) {
      if (std::isfinite(values(row, column))) continue;
      throw std::invalid_argument(fmt::format("{} {}: sample {} is {}, expected a finite number", what,
                                              shown(names[static_cast<std::size_t>(row)]), first + column + 1,
                                              values(row, column)));
    }
  }
}

const std::vector<std::string>& labels_of(const Table& table, const std::string& label) {
  const auto found = table.texts.find(label);
  if (found != table.texts.end()) return found->second;
  throw std::invalid_argument(fmt::format("{}: {}", table.source, detail::no_column(label, table.columns)));
}

/// The input columns: the given ones, or all that are neither target nor weights. No column is named twice.
std::vector<std::string> input_columns(const Table& table, const std::vector<std::string>& targets,
                                       const std::vector<std::string>& inputs, const std::string& weights) {
  std::set<std::string> seen;
  for (const std::string& name : targets) check_not_repeated(table, name, seen);
  if (!weights.empty()) check_not_repeated(table, weights, seen);
  for (const std::string& name : inputs) check_not_repeated(table, name, seen);
  if (!inputs.empty()) return inputs;
  std::vector<std::string> others;
  std::copy_if(table.columns.begin(), table.columns.end(), std::back_inserter(others),
               [&](const std::string& name) { return seen.count(name) == 0; });
  return others;
}

/// Inputs and sample weights of a dataset that has its names and targets.
void take_inputs(const Table& table, const std::vector<std::string>& targets, const std::string& weights,
                 Dataset& data) {
  if (data.input_names.empty()) {
    throw std::invalid_argument(fmt::format("{}: no input column is left, all {} are targets: {}", table.source,
                                            table.columns.size() + table.texts.size(), list_of(targets)));
  }
  data.inputs = select_columns(table, data.input_names);
  const std::set<std::string> names(data.input_names.begin(), data.input_names.end());
  for (const Category& category : table.categories) {
    const std::vector<std::string> levels = level_names(category);
    if (std::all_of(levels.begin(), levels.end(), [&](const std::string& name) { return names.count(name) > 0; })) {
      data.categories.push_back(category);
    }
  }
  if (!weights.empty()) data.sample_weights = Columns(table)[weights];
}

}  // namespace

Matrix select_columns(const Table& table, const std::vector<std::string>& names) {
  const Columns columns(table);
  Matrix result(static_cast<Index>(names.size()), table.values.rows());
  for (std::size_t i = 0; i < names.size(); ++i) {
    result.row(static_cast<Index>(i)) = columns[names[i]].transpose();
  }
  return result;
}

Dataset make_dataset(const Table& table, const std::vector<std::string>& targets,
                     const std::vector<std::string>& inputs, const std::string& weights) {
  if (targets.empty()) throw std::invalid_argument(table.source + ": no target column named, expected at least one");
  Dataset result;
  result.target_names = targets;
  result.input_names = input_columns(table, targets, inputs, weights);
  result.targets = select_columns(table, targets);
  take_inputs(table, targets, weights, result);
  return result;
}

Dataset make_classification(const Table& table, const std::string& label, const Loss& loss,
                            const std::vector<std::string>& inputs, const std::string& weights) {
  return make_classification(table, find_classes(label, labels_of(table, label), loss), inputs, weights);
}

Dataset make_classification(const Table& table, const Classification& classification,
                            const std::vector<std::string>& inputs, const std::string& weights) {
  Dataset result;
  result.input_names = input_columns(table, {classification.label}, inputs, weights);
  const std::vector<std::string>& labels = labels_of(table, classification.label);
  const std::vector<Index> classes = class_indices(classification, labels);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] >= 0) continue;
    throw std::invalid_argument(fmt::format("{}:{}: column {}: {} is no class, expected one of {}", table.source,
                                            table.lines[i], shown(classification.label), shown(labels[i]),
                                            list_of(classification.classes)));
  }
  result.classification = classification;
  result.target_names = output_names(classification);
  result.targets = class_targets(classification, classes);
  take_inputs(table, {classification.label}, weights, result);
  return result;
}

void check_trainable(const Dataset& data, OutputActivation output, Index minimum_samples) {
  const Index samples = data.total_samples();
  if (samples < minimum_samples || samples < 1) {
    throw std::invalid_argument(
        fmt::format("{} samples, expected at least {}", samples, std::max<Index>(minimum_samples, 1)));
  }
  collectively(data.share.ranks, [&] {
    const Index first = Chunks::of(data).samples().begin;
    check_well_formed(data.inputs, data.input_names, data.samples(), first, "input");
    check_well_formed(data.targets, data.target_names, data.samples(), first, "target");
  });
  const std::string problem = categories_problem(data.categories, data.input_names);
  if (!problem.empty()) throw std::invalid_argument(problem);
  const Matrix targets = gathered_columns(data.share.ranks, data.targets);
  for (Index row = 0; row < targets.rows(); ++row) {
    const std::string name = shown(data.target_names[static_cast<std::size_t>(row)]);
    const Eigen::RowVectorXd values = targets.row(row);
    if (is_constant(values)) {
      const bool exactly = (values.array() == values(0)).all();
      throw std::invalid_argument(
          fmt::format("target {}: {} in all {} samples{}, expected at least two different values", name, values(0),
                      samples, exactly ? "" : " but for rounding"));
    }
    if (output != OutputActivation::relu) continue;
    Index lowest = 0;
    if (values.minCoeff(&lowest) < 0) {
      throw std::invalid_argument(fmt::format("target {}: sample {} is {}, expected no value below 0 for ReLU outputs",
                                              name, lowest + 1, values(lowest)));
    }
  }
}

}  // namespace relufit
