// The exact-fit searches end to end: problems solved, limits, messages.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/random.h"
#include "relufit/fixed_output.h"
#include "relufit/search.h"
#include "support/search_problems.h"

namespace relufit {
namespace {

using testing_search::forward_residual;
using testing_search::teacher_problem;

SearchResult expect_solved(const LiftedProblem& problem, SearchOptions options = {}) {
  const SearchResult result = search_exact_fit(problem, options);
  EXPECT_EQ(result.status, SearchStatus::converged);
  EXPECT_EQ(Network(result.layers, problem.network.output).widths(), problem.network.widths);
  EXPECT_LE(forward_residual(problem, result.layers), options.tolerance);
  EXPECT_NEAR(forward_residual(problem, result.layers), result.relative_residual, 1e-14);
  EXPECT_GE(result.runs, 1);
  return result;
}

TEST(Search, SolvesSmallTeachers) {
  for (unsigned long long seed = 500; seed < 515; ++seed) {
    SCOPED_TRACE(seed);
    const LiftedProblem with_relu = teacher_problem({3, 3, 2}, OutputActivation::relu, 30, seed);
    if (with_relu.targets.norm() > 0) expect_solved(with_relu);
    expect_solved(teacher_problem({3, 3, 2}, OutputActivation::linear, 30, seed));
    expect_solved(teacher_problem({5, 5, 2}, OutputActivation::linear, 60, seed));
  }
}

TEST(Search, SolvesLargerTeachers) {
  for (const unsigned long long seed : {500ULL, 501ULL}) {
    SCOPED_TRACE(seed);
    expect_solved(teacher_problem({3, 5, 3}, OutputActivation::relu, 30, seed));
    expect_solved(teacher_problem({10, 10, 1}, OutputActivation::linear, 300, seed));
  }
}

TEST(Search, WorksWithoutExtraUnits) {
  SearchOptions options;
  options.extra_units = 0;
  expect_solved(teacher_problem({3, 3, 2}, OutputActivation::linear, 30, 600), options);
  // With 1 input the skip could not tell which units to turn around, with 12 samples it could fit anything.
  expect_solved(teacher_problem({1, 3, 1}, OutputActivation::linear, 60, 600));
  expect_solved(teacher_problem({3, 3, 2}, OutputActivation::linear, 12, 600));
}

TEST(Search, WithoutBiases) {
  Random random(610);
  for (const Index outputs : {1, 2}) {
    for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
      LiftedProblem problem;
      problem.network.widths = {4, 4, outputs};
      problem.network.output = output;
      problem.bias = false;
      problem.inputs = random.normal(4, 100);
      std::vector<Layer> teacher = Network(problem.network).layers();
      for (Layer& layer : teacher) layer.weights = random.normal(layer.weights.rows(), layer.weights.cols());
      problem.targets = Network(teacher, output).forward(problem.inputs);
      const SearchResult result = expect_solved(problem);
      for (const Layer& layer : result.layers) EXPECT_TRUE(layer.bias.isZero(0));
    }
  }
  // Its best is not good enough where the targets have an offset.
  LiftedProblem shifted = teacher_problem({3, 3, 2}, OutputActivation::linear, 60, 600);
  shifted.bias = false;
  SearchOptions options;
  options.max_runs = 50;
  EXPECT_EQ(search_exact_fit(shifted, options).status, SearchStatus::run_limit);
}

TEST(Search, ZeroTargetsAreFitted) {
  for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
    LiftedProblem problem = teacher_problem({3, 3, 2}, output, 30, 1);
    problem.targets.setZero();
    const SearchResult result = search_exact_fit(problem);
    EXPECT_EQ(result.status, SearchStatus::converged);
    EXPECT_LE(Network(result.layers, output).forward(problem.inputs).norm(), 1e-9);
  }
}

TEST(Search, TheSeedDeterminesTheNetwork) {
  const LiftedProblem problem = teacher_problem({5, 5, 2}, OutputActivation::linear, 60, 700);
  SearchOptions options;
  options.seed = 7;
  const SearchResult first = expect_solved(problem, options);
  const SearchResult second = expect_solved(problem, options);
  EXPECT_EQ(first.runs, second.runs);
  for (std::size_t l = 0; l < 2; ++l) {
    EXPECT_EQ(first.layers[l].weights, second.layers[l].weights);
    EXPECT_EQ(first.layers[l].bias, second.layers[l].bias);
  }
  options.seed = 8;
  EXPECT_NE(first.layers[0].weights, expect_solved(problem, options).layers[0].weights);
}

/// Too many samples of noise for any network to fit.
LiftedProblem noise(OutputActivation output, Index samples = 200) {
  Random random(9);
  LiftedProblem problem;
  problem.inputs = random.normal(5, samples);
  problem.targets = random.normal(2, samples);
  if (output == OutputActivation::relu) problem.targets = problem.targets.cwiseMax(0.0).eval();
  problem.network.widths = {5, 4, 2};
  problem.network.output = output;
  return problem;
}

TEST(Search, LimitsEndItWithTheBestNetwork) {
  for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
    const LiftedProblem problem = noise(output);
    SearchOptions options;
    options.max_runs = 25;
    options.patience = 6;
    const SearchResult result = search_exact_fit(problem, options);
    EXPECT_EQ(result.status, SearchStatus::run_limit);
    EXPECT_EQ(result.runs, 25);
    EXPECT_EQ(Network(result.layers, output).widths(), problem.network.widths);
    EXPECT_LT(result.relative_residual, 1);
    EXPECT_GT(result.relative_residual, 0.1);
    EXPECT_NEAR(result.relative_residual, forward_residual(problem, result.layers), 1e-14);
  }
}

TEST(Search, TimeLimitEndsItEvenWithinARun) {
  const LiftedProblem problem = noise(OutputActivation::linear, 20000);
  SearchOptions options;
  options.time_limit = 0.05;
  const SearchResult result = search_exact_fit(problem, options);
  EXPECT_EQ(result.status, SearchStatus::time_limit);
  EXPECT_GE(result.seconds, 0.05);
  EXPECT_EQ(Network(result.layers, problem.network.output).widths(), problem.network.widths);
}

/// Networks with several hidden layers of the teacher's own widths.
TEST(Search, FitsDeepTeachersExactly) {
  for (const unsigned long long seed : {1ULL, 2ULL, 3ULL}) {
    for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
      LiftedProblem problem = teacher_problem({2, 3, 2, 1}, output, 80, seed);
      if (problem.targets.isZero()) continue;  // a dead output
      const SearchResult result = search_exact_fit(problem);
      EXPECT_EQ(result.status, SearchStatus::converged) << "seed " << seed;
      EXPECT_LE(forward_residual(problem, result.layers), 1e-9);
      EXPECT_EQ(Network(result.layers, output).widths(), problem.network.widths);
      EXPECT_EQ(search_exact_fit(problem).layers.back().weights, result.layers.back().weights);
    }
  }
}

/// Of twice the teacher's widths: found among narrower networks, so with idle units.
TEST(Search, FitsTeachersByWiderNetworks) {
  LiftedProblem problem = teacher_problem({2, 3, 3, 1}, OutputActivation::linear, 200, 4);
  problem.network.widths = {2, 6, 6, 1};
  const SearchResult result = search_exact_fit(problem);
  EXPECT_EQ(result.status, SearchStatus::converged);
  EXPECT_LE(forward_residual(problem, result.layers), 1e-9);
  EXPECT_EQ(Network(result.layers, OutputActivation::linear).widths(), problem.network.widths);
}

TEST(Search, ObserverAndShouldStopEndIt) {
  const LiftedProblem problem = noise(OutputActivation::relu);
  Index seen = 0;
  double last = std::numeric_limits<double>::infinity();
  const SearchResult observed = search_exact_fit(problem, {}, [&](Index runs, double best) {
    EXPECT_EQ(runs, ++seen);
    EXPECT_LE(best, last);
    last = best;
    return runs < 5;
  });
  EXPECT_EQ(observed.status, SearchStatus::interrupted);
  EXPECT_EQ(observed.runs, 5);
  SearchOptions options;
  options.should_stop = [] { return true; };
  const SearchResult stopped = search_exact_fit(problem, options);
  EXPECT_EQ(stopped.status, SearchStatus::interrupted);
  EXPECT_EQ(stopped.runs, 1);
  EXPECT_FALSE(stopped.layers.empty());
}

template <class Function>
void expect_error(const std::string& message, Function&& call) {
  try {
    call();
    ADD_FAILURE() << "no error, expected: " << message;
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(error.what(), message);
  }
}

TEST(Search, BadOptionsAreNamed) {
  const LiftedProblem problem = teacher_problem({3, 3, 2}, OutputActivation::linear, 30, 1);
  const auto expect_option = [&](const std::string& message, auto&& change) {
    SearchOptions options;
    change(options);
    expect_error(message, [&] { search_exact_fit(problem, options); });
  };
  expect_option("max_runs: 0, expected at least 1", [](auto& o) { o.max_runs = 0; });
  expect_option("patience: -1, expected at least 0", [](auto& o) { o.patience = -1; });
  expect_option("time_limit: nan, expected a number >= 0", [](auto& o) { o.time_limit = std::nan(""); });
  expect_option("extra_units: -0.5, expected a number >= 0", [](auto& o) { o.extra_units = -0.5; });
  expect_option("tolerance: 0, expected a number > 0", [](auto& o) { o.tolerance = 0; });
}

TEST(Search, OtherProblemsAreRefused) {
  const auto expect_problem = [](const std::string& message, auto&& change) {
    LiftedProblem problem = teacher_problem({3, 3, 2}, OutputActivation::linear, 30, 1);
    change(problem);
    expect_error(message, [&] { search_exact_fit(problem); });
  };
  expect_problem("loss: exact, which needs a hidden layer", [](auto& p) { p.network.widths = {3, 2}; });
  expect_problem("loss: squared, the search expects exact", [](auto& p) { p.loss = Loss::squared; });
  expect_problem("ridge: 0.1, the search for an exact fit expects 0", [](auto& p) { p.ridge = 0.1; });
  expect_problem("inputs: 3 rows, expected 4", [](auto& p) { p.network.widths = {4, 3, 2}; });
}

// ---- fixed output weights

/// sum of s_i relu(w_i u + b_i), of normal inputs; no biases where `bias` is empty.
LiftedProblem fixed_problem(const Matrix& weights, const Vector& bias, const Vector& output, Index samples,
                            Random& random) {
  LiftedProblem problem;
  problem.inputs = random.normal(weights.cols(), samples);
  problem.network.widths = {weights.cols(), weights.rows(), 1};
  problem.bias = bias.size() > 0;
  Matrix arguments = weights * problem.inputs;
  if (problem.bias) arguments.colwise() += bias;
  problem.targets = output.transpose() * arguments.cwiseMax(0.0);
  return problem;
}

TEST(FixedOutput, SolvesSumsOfUnits) {
  for (const Index k : {6, 10}) {
    Random random(static_cast<unsigned long long>(40 + k));
    const LiftedProblem problem = fixed_problem(Matrix::Identity(k, k), Vector(), Vector::Ones(k), 5 * k * k, random);
    const FixedOutputResult result = fit_fixed_output(problem);
    EXPECT_EQ(result.status, SearchStatus::converged);
    EXPECT_LE(forward_residual(problem, result.layers), 1e-9);
    EXPECT_EQ(result.layers[1].weights, Matrix::Ones(1, k));
    EXPECT_TRUE(result.layers[0].bias.isZero(0) && result.layers[1].bias.isZero(0));
    // The units are those of the problem, in some order.
    EXPECT_LT((result.layers[0].weights.colwise().sum() - Eigen::RowVectorXd::Ones(k)).norm(), 1e-6);
    EXPECT_NEAR(result.layers[0].weights.cwiseAbs().sum(), static_cast<double>(k), 1e-6);
    EXPECT_EQ(result.layers[0].weights, fit_fixed_output(problem).layers[0].weights);
  }
}

TEST(FixedOutput, SolvesGivenWeightsWithBiases) {
  Random random(50);
  Vector output(6);
  output << 0.5, -2, 1, 3, -1, 1;
  const Matrix weights = random.normal(6, 6);
  const LiftedProblem problem = fixed_problem(weights, 0.3 * random.normal(6, 1), output, 300, random);
  FixedOutputOptions options;
  options.output_weights = output;
  options.max_starts = 20;
  const FixedOutputResult result = fit_fixed_output(problem, options);
  EXPECT_EQ(result.status, SearchStatus::converged);
  EXPECT_LE(forward_residual(problem, result.layers), 1e-9);
  EXPECT_EQ(result.layers[1].weights, output.transpose());
}

TEST(FixedOutput, LimitsEndItWithTheBestNetwork) {
  LiftedProblem problem = noise(OutputActivation::linear);
  problem.targets = problem.targets.topRows(1).eval();
  problem.network.widths = {5, 4, 1};
  FixedOutputOptions options;
  options.max_iterations = 70;
  options.max_starts = 2;
  const FixedOutputResult result = fit_fixed_output(problem, options);
  EXPECT_EQ(result.status, SearchStatus::run_limit);
  EXPECT_EQ(result.starts, 2);
  EXPECT_EQ(result.iterations, 140);
  EXPECT_NEAR(forward_residual(problem, result.layers), result.relative_residual, 1e-14);
  std::vector<Index> seen;
  const FixedOutputResult observed = fit_fixed_output(problem, options, [&](Index iterations, double residual) {
    EXPECT_GT(residual, 0.01);
    seen.push_back(iterations);
    return seen.size() < 3;
  });
  EXPECT_EQ(observed.status, SearchStatus::interrupted);
  EXPECT_EQ(seen, (std::vector<Index>{50, 70, 120}));
  options.should_stop = [] { return true; };
  EXPECT_EQ(fit_fixed_output(problem, options).status, SearchStatus::interrupted);
  options.should_stop = {};
  options.time_limit = 1e-9;
  EXPECT_EQ(fit_fixed_output(problem, options).status, SearchStatus::time_limit);
}

TEST(FixedOutput, BadArgumentsAreNamed) {
  Random random(60);
  LiftedProblem problem = fixed_problem(Matrix::Identity(3, 3), Vector::Zero(3), Vector::Ones(3), 45, random);
  const auto expect_option = [&](const std::string& message, auto&& change) {
    FixedOutputOptions options;
    change(options);
    expect_error(message, [&] { fit_fixed_output(problem, options); });
  };
  expect_option("output_weights: 2 values, expected 3, one per hidden unit",
                [](auto& o) { o.output_weights = Vector::Ones(2); });
  expect_option("output_weights: 0, expected finite and not 0", [](auto& o) { o.output_weights = Vector::Zero(3); });
  expect_option("relaxation: 2, expected a number between 0 and 2", [](auto& o) { o.relaxation = 2; });
  expect_option("max_iterations: 0, expected at least 1", [](auto& o) { o.max_iterations = 0; });
  expect_option("max_starts: 0, expected at least 1", [](auto& o) { o.max_starts = 0; });
  expect_option("coarse_tolerance: 0, expected a number > 0", [](auto& o) { o.coarse_tolerance = 0; });
  expect_option("tolerance: inf, expected a number > 0", [](auto& o) { o.tolerance = INFINITY; });
  expect_option("time_limit: -1, expected a number >= 0", [](auto& o) { o.time_limit = -1; });
  expect_option("extra_units: -1, expected a number >= 0", [](auto& o) { o.extra_units = -1; });
  problem.network.output = OutputActivation::relu;
  expect_error("output: relu, fixed output weights expect linear", [&] { fit_fixed_output(problem); });
}

}  // namespace
}  // namespace relufit
