#include "report.h"

#include <cmath>
#include <stdexcept>

#include "output.h"

namespace relufit::cli {

namespace {

/// The loss where it is neither exact nor squared, whose measures the table has.
std::optional<Loss> loss_to_report(const Model& model) {
  const std::optional<Loss> loss = recorded_loss(model);
  if (!loss || *loss == Loss::exact || *loss == Loss::squared || is_for_classes(*loss)) return std::nullopt;
  return loss;
}

double mean_loss(const Loss& loss, const Matrix& outputs, const Matrix& targets) {
  return loss_value(loss, outputs, targets) / static_cast<double>(outputs.cols());
}

std::string described(const Loss& loss) {
  if (loss.kind == Loss::Kind::huber) return fmt::format("huber, delta {}", loss.parameter);
  if (loss.kind == Loss::Kind::quantile) return fmt::format("quantile {}", loss.parameter);
  return to_string(loss);
}

void print_classes(const std::string& title, const Classification& classification,
                   const ClassificationMeasures& measures) {
  const Matrix& counts = measures.counts;
  print("{}: {} samples, accuracy {:.4f}", title, counts.sum(), measures.accuracy);
  if (classification.link == Link::none) {
    print(", no log loss: the hinge loss has no probabilities\n");
  } else {
    print(", log loss {:.4f}\n", measures.log_loss);
  }
  print("  {:<20} {:>8} {:>8}   {}\n", classification.label, "samples", "correct", "others given as");
  for (Index i = 0; i < counts.rows(); ++i) {
    std::string others;
    for (Index j = 0; j < counts.cols(); ++j) {
      if (j == i || counts(i, j) == 0) continue;
      others += fmt::format("{}{}: {}", others.empty() ? "" : ", ", classification.classes[static_cast<std::size_t>(j)],
                            counts(i, j));
    }
    print("  {:<20} {:>8} {:>8}   {}\n", classification.classes[static_cast<std::size_t>(i)], counts.row(i).sum(),
          counts(i, i), others);
  }
}

nlohmann::json classes_json(const Classification& classification, const ClassificationMeasures& measures) {
  nlohmann::json confusion = nlohmann::json::array();
  for (Index i = 0; i < measures.counts.rows(); ++i) {
    nlohmann::json row = nlohmann::json::array();
    for (Index j = 0; j < measures.counts.cols(); ++j) row.push_back(std::llround(measures.counts(i, j)));
    confusion.push_back(row);
  }
  return {{"samples", std::llround(measures.counts.sum())},
          {"accuracy", measures.accuracy},
          {"log_loss", measures.log_loss},
          {"classes", classification.classes},
          {"confusion", confusion}};
}

void check_count(const std::string& file, const char* what, std::size_t found, std::size_t expected) {
  if (found == expected) return;
  throw std::invalid_argument(
      fmt::format("{}: {} columns, expected {}, the {} of the model", file, found, expected, what));
}

/// Outputs and targets, those of all ranks where others have samples too.
std::pair<Matrix, Matrix> fit_of(const Model& model, const Dataset& data) {
  const Ranks* ranks = data.share.ranks;
  return {gathered_columns(ranks, model.predict(data.inputs)), gathered_columns(ranks, data.targets)};
}

}  // namespace

Matrix read_inputs_like(const std::string& inputs_file, const Model& model) {
  Matrix inputs = read_npy(inputs_file, 2);
  check_count(inputs_file, "inputs", static_cast<std::size_t>(inputs.rows()), model.input_names.size());
  return inputs;
}

Dataset read_like(const ArrayFiles& files, const Model& model) {
  Dataset data = model.classification.empty() ? read_dataset(files) : read_classification(files, model.classification);
  check_count(files.inputs, "inputs", data.input_names.size(), model.input_names.size());
  check_count(files.targets, "targets", data.target_names.size(), model.target_names.size());
  data.input_names = model.input_names;
  data.target_names = model.target_names;
  data.categories = model.categories;
  return data;
}

void print_report(const std::string& title, const Model& model, const Dataset& data) {
  const auto [outputs, targets] = fit_of(model, data);
  if (!model.classification.empty()) {
    print_classes(title, model.classification, evaluate_classes(model.classification, outputs, targets));
    return;
  }
  print_evaluation(title, model.target_names, evaluate(outputs, targets));
  const std::optional<Loss> loss = loss_to_report(model);
  if (loss) print("  mean loss per sample ({}): {:.4e}\n", described(*loss), mean_loss(*loss, outputs, targets));
}

nlohmann::json report_json(const Model& model, const Dataset& data) {
  const auto [outputs, targets] = fit_of(model, data);
  if (!model.classification.empty()) {
    return classes_json(model.classification, evaluate_classes(model.classification, outputs, targets));
  }
  nlohmann::json json = evaluation_json(model.target_names, evaluate(outputs, targets));
  const std::optional<Loss> loss = loss_to_report(model);
  if (loss) json["loss"] = {{"name", to_string(*loss)}, {"mean", mean_loss(*loss, outputs, targets)}};
  if (loss && has_parameter(*loss)) json["loss"]["parameter"] = loss->parameter;
  return json;
}

void print_constraints(const std::vector<ConstraintCheck>& checks) {
  if (checks.empty()) return;
  print("{:<40} {:>12}\n", "constraint", "slack");
  const ConstraintCheck* worst = &checks.front();
  for (const ConstraintCheck& check : checks) {
    print("  {:<38} {:>12.4e}{}\n", check.name, check.slack, holds(check) ? "" : "  violated");
    if (check.slack < worst->slack) worst = &check;
  }
  print("worst: {} ({:.4e})\n", worst->name, worst->slack);
}

nlohmann::json constraints_json(const std::vector<ConstraintCheck>& checks) {
  nlohmann::json json = nlohmann::json::array();
  for (const ConstraintCheck& check : checks) {
    json.push_back({{"name", check.name}, {"slack", check.slack}, {"holds", holds(check)}});
  }
  return json;
}

}  // namespace relufit::cli
