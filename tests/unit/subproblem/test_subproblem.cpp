// The subproblem solver: reference optima, optimality by the definition, and what must not change the result.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "support/subproblem_setting.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_point;
using testing_random::teacher_problem;
using testing_subproblem::expect_optimal;
using testing_subproblem::precise;
using testing_subproblem::random_setting;
using testing_subproblem::Setting;

double optimum(const Setting& setting, const SubproblemSolver& solver) {
  return relaxation_objective(setting.problem, setting.parameters, setting.weights, solver.point());
}

double solve_to_optimum(const Setting& setting, const SubproblemOptions& options = precise(),
                        const Penalties& penalties = {}) {
  SubproblemSolver solver(setting.problem, setting.weights, penalties);
  solver.set_parameters(setting.parameters);
  EXPECT_EQ(solver.solve(options).status, SubproblemStatus::converged);
  return optimum(setting, solver);
}

Matrix matrix_from(const nlohmann::json& rows) {
  Matrix matrix(static_cast<Index>(rows.size()), static_cast<Index>(rows[0].size()));
  for (Index i = 0; i < matrix.rows(); ++i) {
    for (Index j = 0; j < matrix.cols(); ++j)
      matrix(i, j) = rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
  }
  return matrix;
}

class Reference : public ::testing::TestWithParam<const char*> {};

// Optima on which an interior-point and a first-order conic solver agree to 8 digits.
TEST_P(Reference, Optimum) {
  std::ifstream file(std::string(RELUFIT_TEST_DATA) + "/subproblem_" + GetParam() + ".json");
  ASSERT_TRUE(file) << "no data in " << RELUFIT_TEST_DATA;
  const auto data = nlohmann::json::parse(file);
  Setting setting;
  setting.problem.inputs = matrix_from(data["U"]);
  setting.problem.targets = matrix_from(data["Y"]);
  const Matrix active = matrix_from(data["H0"]);
  setting.problem.network.widths = {setting.problem.inputs.rows(), active.rows(), setting.problem.targets.rows()};
  setting.problem.network.output = OutputActivation::relu;
  setting.parameters.pair = {{-active, -matrix_from(data["S0"]), Matrix::Ones(active.rows(), active.cols())}};
  setting.parameters.product = {{-matrix_from(data["W20"]), -active, 1, 1, {}, {}}};
  setting.weights = {data["lambda_pair"], data["lambda_product"]};
  const double expected = data["objective_reduced"];
  EXPECT_NEAR(solve_to_optimum(setting), expected, 1e-7 * double{data["objective_raw"]});
  EXPECT_NEAR(solve_to_optimum(setting, {}), expected, 1e-7 * double{data["objective_raw"]}) << "default options";
}

INSTANTIATE_TEST_SUITE_P(Subproblem, Reference, ::testing::Values("A0", "B0"));

TEST(Subproblem, NoFeasiblePointIsBetter) {
  Generator random(1);
  for (const std::vector<Index>& widths : {std::vector<Index>{3, 3, 2}, std::vector<Index>{2, 3, 2, 1}}) {
    for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
      for (const Loss loss : {Loss::exact, Loss::squared}) {
        const Setting setting = random_setting(random, widths, 12, output, loss, loss == Loss::exact ? 0.0 : 0.1);
        SCOPED_TRACE(std::string(to_string(output)) + " " + to_string(loss) + " " + std::to_string(widths.size()));
        SubproblemSolver solver(setting.problem, setting.weights);
        solver.set_parameters(setting.parameters);
        ASSERT_EQ(solver.solve(precise()).status, SubproblemStatus::converged);
        expect_optimal(random, setting, solver.point());
      }
    }
  }
}

TEST(Subproblem, NoFeasiblePointIsBetterUnderGeneralScales) {
  Generator random(2);
  Setting setting = random_setting(random, {3, 3, 2}, 10, OutputActivation::relu, Loss::exact, 0);
  ProductParameters& product = setting.parameters.product[0];
  product.left_matrix = Matrix::Identity(2, 2) + normal_matrix(random, 2, 2, 0.3);
  product.right_matrix = Matrix::Identity(10, 10) + normal_matrix(random, 10, 10, 0.1);
  SubproblemSolver solver(setting.problem, setting.weights);
  solver.set_parameters(setting.parameters);
  ASSERT_EQ(solver.solve(precise()).status, SubproblemStatus::converged);
  expect_optimal(random, setting, solver.point());
}

TEST(Subproblem, ScalarScalesAsMatricesGiveTheSame) {
  Generator random(3);
  for (const std::vector<Index>& widths : {std::vector<Index>{3, 3, 2}, std::vector<Index>{2, 3, 2, 1}}) {
    Setting setting = random_setting(random, widths, 15, OutputActivation::relu, Loss::squared, 0.1);
    SubproblemOptions options;
    options.max_iterations = 50;
    SubproblemSolver structured(setting.problem, setting.weights);
    structured.set_parameters(setting.parameters);
    structured.solve(options);
    const double expected = solve_to_optimum(setting);
    for (ProductParameters& product : setting.parameters.product) {
      const Matrix left = product.left();
      product.right_matrix = product.right(setting.problem.samples());
      product.left_matrix = left;
    }
    EXPECT_NEAR(solve_to_optimum(setting), expected, 1e-9 * (1 + expected));
    // Not only the optimum: every iterate.
    SubproblemSolver dense(setting.problem, setting.weights);
    dense.set_parameters(setting.parameters);
    dense.solve(options);
    for (std::size_t l = 0; l < widths.size() - 1; ++l) {
      EXPECT_LE((dense.point().layers[l].weights - structured.point().layers[l].weights).norm(), 1e-7);
    }
    EXPECT_LE((dense.point().active[0] - structured.point().active[0]).norm(), 1e-7);
    EXPECT_LE((dense.point().output - structured.point().output).norm(), 1e-7);
  }
}

TEST(Subproblem, NeitherPenaltiesNorAccelerationNorStartChangeTheOptimum) {
  Generator random(4);
  const Setting setting = random_setting(random, {3, 4, 2}, 20, OutputActivation::relu, Loss::squared, 0.05);
  const double expected = solve_to_optimum(setting);
  SubproblemOptions fixed = precise();
  fixed.adapt_penalties = false;
  EXPECT_NEAR(solve_to_optimum(setting, fixed), expected, 1e-8 * (1 + expected));
  SubproblemOptions plain = precise();
  plain.accelerate = false;
  plain.over_relaxation = 1.0;
  EXPECT_NEAR(solve_to_optimum(setting, plain), expected, 1e-8 * (1 + expected));
  for (const Penalties& penalties : {Penalties{0.1, 1, 100}, Penalties{300, 3, 0.3}}) {
    EXPECT_NEAR(solve_to_optimum(setting, precise(), penalties), expected, 1e-8 * (1 + expected));
  }
  SubproblemSolver solver(setting.problem, setting.weights);
  solver.set_parameters(setting.parameters);
  solver.set_point(random_point(random, setting.problem));
  EXPECT_EQ(solver.solve(precise()).status, SubproblemStatus::converged);
  EXPECT_NEAR(optimum(setting, solver), expected, 1e-8 * (1 + expected));
}

TEST(Subproblem, PenaltiesAdapt) {
  Generator random(5);
  const Setting setting = random_setting(random, {3, 4, 2}, 20, OutputActivation::relu, Loss::exact, 0);
  const Penalties bad{1e-3, 1e3, 1e3};
  for (const bool adapt : {false, true}) {
    SubproblemSolver solver(setting.problem, setting.weights, bad);
    solver.set_parameters(setting.parameters);
    SubproblemOptions options = precise();
    options.adapt_penalties = adapt;
    options.max_iterations = 500;
    solver.solve(options);
    EXPECT_EQ(solver.penalties().pair == bad.pair, !adapt);
    EXPECT_EQ(solver.penalties().product == bad.product, !adapt);
  }
}

void expect_bitwise_equal(const LiftedPoint& a, const LiftedPoint& b) {
  for (std::size_t l = 0; l < a.layers.size(); ++l) {
    EXPECT_TRUE(a.layers[l].weights == b.layers[l].weights);
    EXPECT_TRUE(a.layers[l].bias == b.layers[l].bias);
  }
  for (std::size_t l = 0; l < a.active.size(); ++l) {
    EXPECT_TRUE(a.active[l] == b.active[l]);
    EXPECT_TRUE(a.slack[l] == b.slack[l]);
  }
  EXPECT_TRUE(a.output == b.output);
}

TEST(Subproblem, ThreadsDoNotChangeABit) {
  Generator random(6);
  for (const std::vector<Index>& widths : {std::vector<Index>{4, 5, 2}, std::vector<Index>{3, 4, 3, 2}}) {
    const Setting setting = random_setting(random, widths, 1000, OutputActivation::relu, Loss::squared, 0.01);
    const auto point = [&](int threads, bool accelerate) {
      SubproblemSolver solver(setting.problem, setting.weights, {}, threads);
      solver.set_parameters(setting.parameters);
      SubproblemOptions options;
      options.max_iterations = 60;
      options.accelerate = accelerate;
      solver.solve(options);
      return solver.point();
    };
    for (const bool accelerate : {false, true}) {
      const LiftedPoint alone = point(1, accelerate);
      expect_bitwise_equal(alone, point(2, accelerate));
      expect_bitwise_equal(alone, point(3, accelerate));
    }
  }
}

TEST(Subproblem, WarmStartFromTheOptimum) {
  Generator random(7);
  const Setting setting = random_setting(random, {3, 3, 2}, 30, OutputActivation::relu, Loss::exact, 0);
  SubproblemSolver solver(setting.problem, setting.weights);
  solver.set_parameters(setting.parameters);
  SubproblemOptions options;
  options.max_iterations = 100000;
  const SubproblemResult cold = solver.solve(options);
  ASSERT_EQ(cold.status, SubproblemStatus::converged);
  EXPECT_GT(cold.iterations, 2 * options.check_interval);
  for (const bool set_again : {false, true}) {
    if (set_again) solver.set_parameters(setting.parameters);
    const SubproblemResult warm = solver.solve(options);
    EXPECT_EQ(warm.status, SubproblemStatus::converged);
    EXPECT_LE(warm.iterations, 2 * options.check_interval);
  }
}

TEST(Subproblem, Status) {
  Generator random(8);
  const Setting setting = random_setting(random, {3, 3, 2}, 30, OutputActivation::relu, Loss::exact, 0);
  SubproblemSolver solver(setting.problem, setting.weights);
  solver.set_parameters(setting.parameters);
  SubproblemOptions options;
  options.max_iterations = 7;
  SubproblemResult result = solver.solve(options);
  EXPECT_EQ(result.status, SubproblemStatus::iteration_limit);
  EXPECT_EQ(result.iterations, 7);
  EXPECT_GT(std::max(result.primal_residual, result.dual_residual), options.tolerance);
  options.max_iterations = 1000;
  options.tolerance = 0;
  int asked = 0;
  options.should_stop = [&] { return ++asked == 3; };
  result = solver.solve(options);
  EXPECT_EQ(result.status, SubproblemStatus::interrupted);
  EXPECT_EQ(result.iterations, 3);
  options.should_stop = nullptr;
  EXPECT_EQ(solver.solve(options).iterations, 1000);
  options.tolerance = 1e-8;
  options.max_iterations = 100000;
  result = solver.solve(options);
  EXPECT_EQ(result.status, SubproblemStatus::converged);
  EXPECT_LE(std::max(result.primal_residual, result.dual_residual), 1e-8);
}

// The source: started from the true values, all constraints hold after one solve.
TEST(Subproblem, TrueParametersGiveAFeasiblePoint) {
  Generator random(9);
  for (const std::vector<Index>& widths : {std::vector<Index>{3, 3, 2}, std::vector<Index>{3, 4, 3, 2}}) {
    for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
      const auto [problem, layers] = teacher_problem(random, widths, 30, output);
      SubproblemSolver solver(problem, {});
      solver.set_parameters(parameters_at(lift_network(problem, layers)));
      SubproblemOptions options;
      options.tolerance = 1e-9;
      ASSERT_EQ(solver.solve(options).status, SubproblemStatus::converged);
      const Violations v = violations(problem, solver.point());
      EXPECT_LE(std::max({v.affine, v.sign, v.output, v.pair, v.product}), 1e-8)
          << to_string(output) << " " << widths.size();
    }
  }
}

// Parameters that are referred to and changed in place, between iterations, are as good as copies of them.
TEST(Subproblem, ReferringToParametersIsAsCopyingThem) {
  Generator random(14);
  for (const std::vector<Index>& widths : {std::vector<Index>{3, 4, 2}, std::vector<Index>{3, 4, 3, 1}}) {
    const Setting setting = random_setting(random, widths, 300, OutputActivation::linear, Loss::squared, 0.1);
    SubproblemSolver referring(setting.problem, setting.weights), copying(setting.problem, setting.weights);
    RelaxationParameters parameters = setting.parameters;
    SubproblemOptions few;
    few.max_iterations = 5;
    for (int step = 0; step < 4; ++step) {
      referring.refer_to(parameters, setting.weights);
      copying.set_relaxation(parameters, setting.weights);
      referring.solve(few);
      copying.solve(few);
      EXPECT_EQ(referring.point().active, copying.point().active);
      EXPECT_EQ(referring.point().slack, copying.point().slack);
      EXPECT_EQ(referring.point().output, copying.point().output);
      move_parameters(referring.point(), parameters);
    }
  }
}

TEST(Subproblem, SolversMove) {
  Generator random(10);
  const Setting setting = random_setting(random, {3, 3, 2}, 10, OutputActivation::linear, Loss::exact, 0);
  SubproblemSolver solver(setting.problem, setting.weights);
  SubproblemSolver moved = std::move(solver);
  moved.set_parameters(setting.parameters);
  EXPECT_EQ(moved.solve(precise()).status, SubproblemStatus::converged);
  EXPECT_NEAR(optimum(setting, moved), solve_to_optimum(setting), 1e-9);
}

std::string message(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Subproblem, RefusesBadSettings) {
  Generator random(11);
  const LiftedProblem problem = teacher_problem(random, {2, 3, 1}, 5, OutputActivation::linear).problem;
  const auto make = [&](const RelaxationWeights& weights, const Penalties& penalties, int threads) {
    return message([&] { SubproblemSolver(problem, weights, penalties, threads); });
  };
  EXPECT_EQ(make({0, 1}, {}, 1), "weights.pair: 0, expected a number > 0");
  EXPECT_EQ(make({1, -1}, {}, 1), "weights.product: -1, expected a number > 0");
  EXPECT_EQ(make({}, {-1, 1, 1}, 1), "penalties.pair: -1, expected a number > 0");
  EXPECT_EQ(make({}, {1, std::numeric_limits<double>::infinity(), 1}, 1),
            "penalties.product: inf, expected a number > 0");
  EXPECT_EQ(make({}, {1, 1, std::nan("")}, 1), "penalties.output: nan, expected a number > 0");
  EXPECT_EQ(make({}, {}, 0), "threads: 0, expected at least 1");

  SubproblemSolver solver(problem, {});
  const auto solve = [&](const std::function<void(SubproblemOptions&)>& spoil) {
    SubproblemOptions options;
    spoil(options);
    return message([&] { solver.solve(options); });
  };
  EXPECT_EQ(solve([](auto& o) { o.tolerance = -1; }), "tolerance: -1, expected a number >= 0");
  EXPECT_EQ(solve([](auto& o) { o.max_iterations = 0; }), "max_iterations: 0, expected at least 1");
  EXPECT_EQ(solve([](auto& o) { o.check_interval = 0; }), "check_interval: 0, expected at least 1");
  EXPECT_EQ(solve([](auto& o) { o.over_relaxation = 2; }), "over_relaxation: 2, expected a number in (0, 2)");
  RelaxationParameters parameters = parameters_at(zero_point(problem));
  parameters.product[0].x.setZero(2, 3);
  EXPECT_EQ(message([&] { solver.set_parameters(parameters); }), "product[0].x: 2 x 3, expected 1 x 3");
}

}  // namespace
}  // namespace relufit
