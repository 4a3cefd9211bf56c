// solve_subproblem IN.json: solves one convex subproblem and prints what came out as JSON, for comparisons with other
// solvers (tests/reference, bench/subproblem.py). Matrices are lists of rows.
//
// In:   inputs, targets, hidden (list of widths), parameters {
//           pair:    [{x, y, scale}],                                                per hidden layer
//           product: [{x, y, left_scale, right_scale, left_matrix, right_matrix}] }  per layer from the second on
//       optional: activation "relu", activation_parameter, output "linear", loss "exact", loss_parameter,
//           sample_weights, ridge 0, skip_connections false,
//           weight_terms [{kind, layer, size, lower, upper, coefficients, least, most}], bias true, output_lower,
//           output_upper, output_terms [{coefficients, lower, upper}], weights {pair, product}, penalties
//           {pair, product, output}, tolerance, max_iterations, repeat 1 (cold solves, for the time), export (path of
//           an SDPA file), split_products false (in that file)
// Out:  status, iterations, objective, violations, primal_residual, dual_residual, seconds {min, median}, layers [{W,
// b}],
//       sdp {offset, variables} where a file was asked for
//
// Seconds are those of one cold solve: construction of the solver, its factorizations, and all iterations from zero.

#include <algorithm>
#include <chrono>
#include <ctime>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "relufit/sdp_export.h"
#include "relufit/subproblem.h"

namespace {

using nlohmann::json;
using relufit::Index;
using relufit::Matrix;

Matrix matrix_from(const json& rows) {
  if (!rows.is_array() || rows.empty())
    throw std::invalid_argument("a matrix must be a list of rows, not " + rows.dump());
  Matrix matrix(static_cast<Index>(rows.size()), static_cast<Index>(rows.front().size()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto values = rows[i].get<std::vector<double>>();
    if (static_cast<Index>(values.size()) != matrix.cols()) throw std::invalid_argument("rows of unequal length");
    for (std::size_t j = 0; j < values.size(); ++j) matrix(static_cast<Index>(i), static_cast<Index>(j)) = values[j];
  }
  return matrix;
}

relufit::Vector vector_from(const json& values) {
  const auto list = values.get<std::vector<double>>();
  return Eigen::Map<const relufit::Vector>(list.data(), static_cast<Index>(list.size()));
}

json json_from(const Matrix& matrix) {
  json rows = json::array();
  for (Index i = 0; i < matrix.rows(); ++i) {
    const Eigen::RowVectorXd row = matrix.row(i);
    rows.push_back(std::vector<double>(row.begin(), row.end()));
  }
  return rows;
}

relufit::WeightTerm weight_term_from(const json& in) {
  using Kind = relufit::WeightTerm::Kind;
  const std::map<std::string, Kind> kinds = {{"bounds", Kind::bounds},   {"frobenius", Kind::frobenius_ball},
                                             {"rows", Kind::row_ball},   {"spectral", Kind::spectral_ball},
                                             {"lasso", Kind::lasso},     {"group_lasso", Kind::group_lasso},
                                             {"nuclear", Kind::nuclear}, {"linear", Kind::linear}};
  relufit::WeightTerm term{
      kinds.at(in.at("kind").get<std::string>()), in.at("layer").get<Index>(), in.at("size").get<double>(), {}, {}};
  if (in.contains("lower")) term.lower = matrix_from(in["lower"]);
  if (in.contains("upper")) term.upper = matrix_from(in["upper"]);
  if (in.contains("coefficients")) term.coefficients = matrix_from(in["coefficients"]);
  term.least = in.value("least", term.least);
  term.most = in.value("most", term.most);
  return term;
}

relufit::LiftedProblem problem_from(const json& in) {
  relufit::LiftedProblem problem;
  problem.inputs = matrix_from(in.at("inputs"));
  problem.targets = matrix_from(in.at("targets"));
  problem.network.widths = in.at("hidden").get<std::vector<Index>>();
  problem.network.widths.insert(problem.network.widths.begin(), problem.inputs.rows());
  problem.network.widths.push_back(problem.targets.rows());
  problem.network.output = relufit::output_activation_from(in.value("output", "linear"));
  problem.network.skip_connections = in.value("skip_connections", false);
  if (in.contains("activation")) {
    std::optional<double> parameter;
    if (in.contains("activation_parameter")) parameter = in["activation_parameter"].get<double>();
    problem.network.activation = relufit::activation_from(in["activation"].get<std::string>(), parameter);
  }
  problem.loss = relufit::loss_from(in.value("loss", "exact"), in.value("loss_parameter", 0.0));
  const auto sample_weights = in.value("sample_weights", std::vector<double>());
  problem.sample_weights =
      Eigen::Map<const relufit::Vector>(sample_weights.data(), static_cast<Index>(sample_weights.size()));
  problem.ridge = in.value("ridge", 0.0);
  for (const json& term : in.value("weight_terms", json::array())) {
    problem.weight_terms.push_back(weight_term_from(term));
  }
  problem.bias = in.value("bias", true);
  for (const json& term : in.value("output_terms", json::array())) {
    problem.output_terms.push_back(
        {vector_from(term.at("coefficients")), vector_from(term.at("lower")), vector_from(term.at("upper"))});
  }
  if (in.contains("output_lower")) problem.output_lower = matrix_from(in["output_lower"]);
  if (in.contains("output_upper")) problem.output_upper = matrix_from(in["output_upper"]);
  return problem;
}

relufit::RelaxationParameters parameters_from(const json& in) {
  relufit::RelaxationParameters parameters;
  for (const json& pair : in.at("pair")) {
    parameters.pair.push_back({matrix_from(pair.at("x")), matrix_from(pair.at("y")), matrix_from(pair.at("scale"))});
  }
  for (const json& entry : in.at("product")) {
    relufit::ProductParameters product;
    product.x = matrix_from(entry.at("x"));
    product.y = matrix_from(entry.at("y"));
    product.left_scale = entry.value("left_scale", 1.0);
    product.right_scale = entry.value("right_scale", 1.0);
    if (entry.contains("left_matrix")) product.left_matrix = matrix_from(entry["left_matrix"]);
    if (entry.contains("right_matrix")) product.right_matrix = matrix_from(entry["right_matrix"]);
    parameters.product.push_back(product);
  }
  return parameters;
}

relufit::RelaxationWeights weights_from(const json& in) {
  relufit::RelaxationWeights weights;
  const json values = in.value("weights", json::object());
  weights.pair = values.value("pair", weights.pair);
  weights.product = values.value("product", weights.product);
  return weights;
}

relufit::Penalties penalties_from(const json& in) {
  relufit::Penalties penalties;
  const json values = in.value("penalties", json::object());
  penalties.pair = values.value("pair", penalties.pair);
  penalties.product = values.value("product", penalties.product);
  penalties.output = values.value("output", penalties.output);
  return penalties;
}

relufit::SubproblemOptions options_from(const json& in) {
  relufit::SubproblemOptions options;
  options.tolerance = in.value("tolerance", options.tolerance);
  options.max_iterations = in.value("max_iterations", options.max_iterations);
  return options;
}

json violations_json(const relufit::Violations& violations) {
  return {{"affine", violations.affine},
          {"sign", violations.sign},
          {"output", violations.output},
          {"pair", violations.pair},
          {"product", violations.product}};
}

double processor_time() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

json smallest_and_median(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  return {{"min", seconds.front()}, {"median", seconds[seconds.size() / 2]}};
}

json solve(const json& in) {
  const relufit::LiftedProblem problem = problem_from(in);
  const relufit::RelaxationParameters parameters = parameters_from(in.at("parameters"));
  const relufit::RelaxationWeights weights = weights_from(in);
  const relufit::Penalties penalties = penalties_from(in);
  const relufit::SubproblemOptions options = options_from(in);

  std::optional<relufit::SubproblemSolver> solver;
  relufit::SubproblemResult result;
  std::vector<double> seconds;
  std::vector<double> processor_seconds;
  const int repeat = std::max(1, in.value("repeat", 1));
  for (int i = 0; i < repeat; ++i) {
    solver.reset();
    const double processor_begin = processor_time();
    const auto begin = std::chrono::steady_clock::now();
    solver.emplace(problem, weights, penalties);
    solver->set_parameters(parameters);
    result = solver->solve(options);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    processor_seconds.push_back(processor_time() - processor_begin);
  }

  const relufit::LiftedPoint& point = solver->point();
  json out = {{"status", to_string(result.status)},
              {"iterations", result.iterations},
              {"objective", relaxation_objective(problem, parameters, weights, point)},
              {"violations", violations_json(violations(problem, point))},
              {"primal_residual", result.primal_residual},
              {"dual_residual", result.dual_residual},
              {"seconds", smallest_and_median(seconds)},
              {"processor_seconds", smallest_and_median(processor_seconds)},
              {"layers", json::array()}};
  for (const relufit::Layer& layer : point.layers) {
    out["layers"].push_back(
        {{"W", json_from(layer.weights)}, {"b", std::vector<double>(layer.bias.begin(), layer.bias.end())}});
  }
  if (in.contains("export")) {
    const relufit::SdpOptions sdp{in.value("split_products", false)};
    export_sdp(problem, parameters, weights, in["export"].get<std::string>(), sdp);
    const relufit::SdpProgram program = sdp_program(problem, parameters, weights, sdp);
    out["sdp"] = {{"offset", program.offset}, {"variables", program.variables}};
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: solve_subproblem IN.json\n";
    return 2;
  }
  try {
    std::ifstream file(argv[1]);
    if (!file) throw std::invalid_argument(std::string(argv[1]) + ": cannot be read");
    std::cout << solve(json::parse(file)).dump() << '\n';
  } catch (const std::exception& error) {
    std::cerr << "solve_subproblem: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
