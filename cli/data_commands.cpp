#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>

#include "commands.h"
#include "report.h"

namespace relufit::cli {

namespace {

void print_measures(const std::string& name, const FitMeasures& measures) {
  fmt::print("  {:<20} {:>12.4e} {:>12.4e} {:>10.4f} {:>12.4e}\n", name, measures.relative_residual,
             measures.mean_squared_error, measures.r2, measures.largest_error);
}

nlohmann::json measures_json(const FitMeasures& measures) {
  return {{"relative_residual", measures.relative_residual},
          {"mse", measures.mean_squared_error},
          {"r2", measures.r2},
          {"largest_error", measures.largest_error}};
}

void write_predictions(const Model& model, const Matrix& predictions, const std::string& path) {
  write_csv(path, model.target_names, predictions.transpose());
}

void print_predictions(const Model& model, const Matrix& predictions) {
  fmt::print("{}\n", fmt::join(model.target_names, ","));
  for (Index i = 0; i < predictions.cols(); ++i) {
    for (Index j = 0; j < predictions.rows(); ++j) fmt::print("{}{:.17g}", j > 0 ? "," : "", predictions(j, i));
    fmt::print("\n");
  }
}

}  // namespace

void print_evaluation(const std::string& title, const std::vector<std::string>& targets, const Evaluation& evaluation) {
  fmt::print("{:<22} {:>12} {:>12} {:>10} {:>12}\n", title, "rel. resid.", "MSE", "R2", "largest");
  for (std::size_t i = 0; i < targets.size(); ++i) print_measures(targets[i], evaluation.per_target[i]);
  if (targets.size() > 1) print_measures("all", evaluation.all);
}

nlohmann::json evaluation_json(const std::vector<std::string>& targets, const Evaluation& evaluation) {
  nlohmann::json per_target = nlohmann::json::object();
  for (std::size_t i = 0; i < targets.size(); ++i) per_target[targets[i]] = measures_json(evaluation.per_target[i]);
  return {{"targets", per_target}, {"all", measures_json(evaluation.all)}};
}

void check_writable(const std::string& path) {
  const std::filesystem::path file(path);
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  if (!std::filesystem::is_directory(folder)) {
    throw std::invalid_argument(fmt::format("{}: the folder '{}' does not exist", path, folder.string()));
  }
  if (std::filesystem::is_directory(file))
    throw std::invalid_argument(fmt::format("{}: is a folder, expected a file", path));
}

namespace {

constexpr double kHolds = -1e-9;  // slack from which on a constraint counts as kept

}  // namespace

void print_constraints(const std::vector<ConstraintCheck>& checks) {
  if (checks.empty()) return;
  fmt::print("{:<40} {:>12}\n", "constraint", "slack");
  const ConstraintCheck* worst = &checks.front();
  for (const ConstraintCheck& check : checks) {
    fmt::print("  {:<38} {:>12.4e}{}\n", check.name, check.slack, check.slack >= kHolds ? "" : "  violated");
    if (check.slack < worst->slack) worst = &check;
  }
  fmt::print("worst: {} ({:.4e})\n", worst->name, worst->slack);
}

nlohmann::json constraints_json(const std::vector<ConstraintCheck>& checks) {
  nlohmann::json json = nlohmann::json::array();
  for (const ConstraintCheck& check : checks) {
    json.push_back({{"name", check.name}, {"slack", check.slack}, {"holds", check.slack >= kHolds}});
  }
  return json;
}

void check_distinct(const std::string& output, const std::vector<std::string>& others) {
  if (output.empty()) return;
  for (const std::string& other : others) {
    if (other.empty() || std::filesystem::weakly_canonical(output) != std::filesystem::weakly_canonical(other))
      continue;
    throw std::invalid_argument(
        fmt::format("{}: named twice, expected another file to write than '{}'", output, other));
  }
}

void add_predict(CLI::App& app) {
  struct Arguments {
    std::string model, data, out;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("predict", "Outputs of a model for the rows of a CSV file");
  command->add_option("model", a->model, "Model file")->required();
  command->add_option("data", a->data, "CSV file with the model's input columns, in any order")->required();
  command->add_option("--out", a->out, "CSV file to write (default: standard output)");
  command->footer("Example:\n  relufit predict diabetes.json data/diabetes.csv --out predictions.csv");
  command->callback([a] {
    check_distinct(a->out, {a->model, a->data});
    const Model model = load_model(a->model);
    const Matrix predictions = model.predict(select_columns(read_csv(a->data), model.input_names));
    if (a->out.empty()) {
      print_predictions(model, predictions);
    } else {
      check_writable(a->out);
      write_predictions(model, predictions, a->out);
    }
  });
}

void add_evaluate(CLI::App& app) {
  struct Arguments {
    std::string model, data, constraints;
    bool json = false;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("evaluate", "Fit of a model to a CSV file");
  command->add_option("model", a->model, "Model file")->required();
  command->add_option("data", a->data, "CSV file with the model's input and target columns")->required();
  command->add_option("--constraints", a->constraints, "Check these constraints (JSON), and list how far each is kept");
  command->add_flag("--json", a->json, "Print as JSON");
  command->footer("Example:\n  relufit evaluate diabetes.json data/diabetes.csv --json");
  command->callback([a] {
    const Model model = load_model(a->model);
    const Table table = read_csv(a->data);
    const Dataset data = make_dataset(table, model.target_names, model.input_names);
    const Evaluation evaluation = evaluate(model.predict(data.inputs), data.targets);
    std::vector<ConstraintCheck> checks;
    if (!a->constraints.empty()) checks = check_constraints(load_constraints(a->constraints), model);
    if (a->json) {
      nlohmann::json json = evaluation_json(model.target_names, evaluation);
      if (!a->constraints.empty()) json["constraints"] = constraints_json(checks);
      fmt::print("{}\n", json.dump(2));
    } else {
      print_evaluation(a->data, model.target_names, evaluation);
      print_constraints(checks);
    }
  });
}

}  // namespace relufit::cli
