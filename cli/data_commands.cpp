#include "commands.h"
#include "output.h"
#include "report.h"
#include "training_options.h"
#include "world.h"

namespace relufit::cli {

namespace {

void print_measures(const std::string& name, const FitMeasures& measures) {
  print("  {:<20} {:>12.4e} {:>12.4e} {:>10.4f} {:>12.4e}\n", name, measures.relative_residual,
        measures.mean_squared_error, measures.r2, measures.largest_error);
}

nlohmann::json measures_json(const FitMeasures& measures) {
  return {{"relative_residual", measures.relative_residual},
          {"mse", measures.mean_squared_error},
          {"r2", measures.r2},
          {"largest_error", measures.largest_error}};
}

/// What `predict` writes: outputs, or the label and, where there are any, the probabilities of the classes.
struct Predictions {
  std::vector<std::string> columns;
  Matrix values;                    // rows are samples
  std::vector<std::string> labels;  // the first column; none for regression
};

Predictions predictions_of(const Model& model, const Matrix& outputs) {
  const Classification& classification = model.classification;
  if (classification.empty()) return {model.target_names, outputs.transpose(), {}};
  const auto name = [&](Index i) { return classification.classes[static_cast<std::size_t>(i)]; };
  Predictions result{{"label"}, class_probabilities(classification, outputs).transpose(), {}};
  for (Index i = 0; i < result.values.cols(); ++i) result.columns.push_back("p_" + name(i));
  for (const Index i : decided_classes(classification, outputs)) result.labels.push_back(name(i));
  return result;
}

}  // namespace

void print_evaluation(const std::string& title, const std::vector<std::string>& targets, const Evaluation& evaluation) {
  print("{:<22} {:>12} {:>12} {:>10} {:>12}\n", title, "rel. resid.", "MSE", "R2", "largest");
  for (std::size_t i = 0; i < targets.size(); ++i) print_measures(targets[i], evaluation.per_target[i]);
  if (targets.size() > 1) print_measures("all", evaluation.all);
}

nlohmann::json evaluation_json(const std::vector<std::string>& targets, const Evaluation& evaluation) {
  nlohmann::json per_target = nlohmann::json::object();
  for (std::size_t i = 0; i < targets.size(); ++i) per_target[targets[i]] = measures_json(evaluation.per_target[i]);
  return {{"targets", per_target}, {"all", measures_json(evaluation.all)}};
}

void add_predict(CLI::App& app, const Ranks* ranks) {
  struct Arguments {
    std::string model, data, out;
    ArrayFiles files;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("predict", "Outputs of a model for the rows of a CSV file");
  command->add_option("model", a->model, "Model file")->required();
  command->add_option("data", a->data, "CSV file with the model's input columns, in any order");
  add_array_files(*command, a->files, false);
  add_output(*command, "--out", a->out, "CSV file to write (default: standard output)");
  command->footer("Example:\n  relufit predict diabetes.json data/diabetes.csv --out predictions.csv");
  command->callback([a, ranks] {
    Model model;
    Matrix inputs;
    collectively(ranks, [&] {
      if (!a->out.empty() && is_first(ranks)) check_output(a->out);
      const bool arrays = from_array_files(a->data, a->files, false);
      check_distinct(a->out, {a->model, a->data, a->files.inputs});
      model = load_model(a->model);
      inputs = own_part(
          ranks, arrays ? read_inputs_like(a->files.inputs, model)
                        : select_columns(read_inputs(a->data, model.input_names, model.categories), model.input_names));
    });
    const Matrix outputs = gathered_columns(ranks, model.predict(inputs));
    if (!is_first(ranks)) return;
    const auto [columns, values, labels] = predictions_of(model, outputs);
    if (a->out.empty()) {
      print_text(csv_text("standard output", columns, values, labels));
    } else {
      write_csv(a->out, columns, values, labels);
    }
  });
}

void add_evaluate(CLI::App& app, const Ranks* ranks) {
  struct Arguments {
    std::string model, data, constraints;
    ArrayFiles files;
    bool json = false;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("evaluate", "Fit of a model to a CSV file");
  command->add_option("model", a->model, "Model file")->required();
  command->add_option("data", a->data, "CSV file with the model's input and target columns");
  add_array_files(*command, a->files, true);
  command->add_option("--constraints", a->constraints, "Check these constraints (JSON), and list how far each is kept");
  command->add_flag("--json", a->json, "Print as JSON");
  command->footer("Example:\n  relufit evaluate diabetes.json data/diabetes.csv --json");
  command->callback([a, ranks] {
    Model model;
    Dataset data;
    collectively(ranks, [&] {
      const bool arrays = from_array_files(a->data, a->files, true);
      model = load_model(a->model);
      data = arrays ? read_like(a->files, model) : read_like(a->data, model);
    });
    std::vector<ConstraintCheck> checks;
    if (!a->constraints.empty()) checks = check_constraints(load_constraints(a->constraints), model, data.inputs);
    if (a->json) {
      nlohmann::json json = report_json(model, data);
      if (!a->constraints.empty()) json["constraints"] = constraints_json(checks);
      print("{}\n", json.dump(2));
    } else {
      print_report(a->files.inputs.empty() ? a->data : a->files.inputs, model, data);
      print_constraints(checks);
    }
  });
}

}  // namespace relufit::cli
