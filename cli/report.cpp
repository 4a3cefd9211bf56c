#include "report.h"

#include <cmath>

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

}  // namespace

Dataset read_like(const std::string& path, const Classification& classification,
                  const std::vector<std::string>& targets, const std::vector<std::string>& inputs,
                  const std::string& weights) {
  if (!classification.empty()) {
    return make_classification(read_csv(path, {classification.label}, inputs), classification, inputs);
  }
  std::vector<std::string> used = targets;
  used.insert(used.end(), inputs.begin(), inputs.end());
  if (!weights.empty()) used.push_back(weights);
  return make_dataset(read_csv(path, {}, used), targets, inputs, weights);
}

void print_report(const std::string& title, const Model& model, const Dataset& data) {
  const Matrix outputs = model.predict(data.inputs);
  if (!model.classification.empty()) {
    print_classes(title, model.classification, evaluate_classes(model.classification, outputs, data.targets));
    return;
  }
  print_evaluation(title, model.target_names, evaluate(outputs, data.targets));
  const std::optional<Loss> loss = loss_to_report(model);
  if (loss) print("  mean loss per sample ({}): {:.4e}\n", described(*loss), mean_loss(*loss, outputs, data.targets));
}

nlohmann::json report_json(const Model& model, const Dataset& data) {
  const Matrix outputs = model.predict(data.inputs);
  if (!model.classification.empty()) {
    return classes_json(model.classification, evaluate_classes(model.classification, outputs, data.targets));
  }
  nlohmann::json json = evaluation_json(model.target_names, evaluate(outputs, data.targets));
  const std::optional<Loss> loss = loss_to_report(model);
  if (loss) json["loss"] = {{"name", to_string(*loss)}, {"mean", mean_loss(*loss, outputs, data.targets)}};
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
