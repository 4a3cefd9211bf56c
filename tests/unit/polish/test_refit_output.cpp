// Local refinement under constraints: polish with weight terms, and the refit of the output layer with output bounds.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "relufit/fit.h"
#include "relufit/polish.h"
#include "relufit/subproblem.h"
#include "support/random.h"

namespace relufit {
namespace {

using Kind = WeightTerm::Kind;
using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::teacher_problem;
using testing_random::TeacherProblem;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

WeightTerm box(Index layer, const Matrix& like, double lower, double upper) {
  return {Kind::bounds, layer, 0, Matrix::Constant(like.rows(), like.cols(), lower),
          Matrix::Constant(like.rows(), like.cols(), upper)};
}

/// A noisy problem, and a network within its constraints to start from.
struct Setting {
  LiftedProblem problem;
  std::vector<Layer> layers;
};

Setting noisy_setting(unsigned seed, const std::vector<Index>& widths, double ridge) {
  Generator random(seed);
  TeacherProblem teacher = teacher_problem(random, widths, 40, OutputActivation::linear, Loss::squared, ridge);
  teacher.problem.targets += normal_matrix(random, widths.back(), 40, 0.3);
  for (Layer& layer : teacher.layers)
    layer.weights += normal_matrix(random, layer.weights.rows(), layer.weights.cols(), 0.3);
  return {teacher.problem, teacher.layers};
}

/// All hidden units stay active around the network, so that the loss is smooth there.
Setting smooth_setting(unsigned seed) {
  Setting setting = noisy_setting(seed, {3, 4, 2}, 1e-3);
  setting.layers[0].bias.array() += 8;
  setting.layers[1].bias -= setting.layers[1].weights * Vector::Constant(4, 8);
  return setting;
}

void project(Setting& setting) {
  for (std::size_t l = 0; l < setting.layers.size(); ++l) {
    project_onto_constraints(setting.problem.weight_terms, static_cast<Index>(l) + 1, setting.layers[l].weights);
  }
}

/// Without a hidden layer the problem is convex: the same optimum as by the method of multipliers.
TEST(ConstrainedPolish, LinearModelReachesTheOptimum) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    Setting setting = noisy_setting(seed, {4, 2}, seed % 2 == 0 ? 0 : 0.5);
    const Matrix& like = setting.layers[0].weights;
    setting.problem.weight_terms = {
        box(1, like, -0.4, 0.5), {Kind::lasso, 1, 1.5, {}, {}}, {Kind::frobenius_ball, 1, 0.9, {}, {}}};
    project(setting);
    const PolishResult polished = polish(setting.problem, setting.layers);
    SubproblemSolver solver(setting.problem, {});
    SubproblemOptions options;
    options.tolerance = 1e-11;
    EXPECT_EQ(solver.solve(options).status, SubproblemStatus::converged);
    const double optimum = network_loss(setting.problem, solver.network());
    EXPECT_NEAR(polished.after, optimum, 1e-7 * optimum) << "seed " << seed;
    EXPECT_LT(polished.after, polished.before);
  }
}

TEST(ConstrainedPolish, OtherLossesReachTheirOptimum) {
  for (const Loss& loss : {Loss::huber(0.3), Loss::logistic, Loss::cross_entropy}) {
    for (const bool weighted : {false, true}) {
      Setting setting = noisy_setting(5, {4, 3}, 0.2);
      LiftedProblem& problem = setting.problem;
      problem.loss = loss;
      if (is_for_classes(loss)) {
        for (Index j = 0; j < problem.samples(); ++j) {
          problem.targets.col(j) = Vector::Unit(3, j % 3 == 0 ? 0 : (problem.inputs(0, j) > 0 ? 1 : 2));
        }
      }
      if (weighted) problem.sample_weights = Vector::LinSpaced(problem.samples(), 0, 2);
      problem.weight_terms = {box(1, setting.layers[0].weights, -0.3, 0.4), {Kind::lasso, 1, 0.5, {}, {}}};
      project(setting);
      const PolishResult polished = polish(problem, setting.layers);
      SubproblemSolver solver(problem, {});
      SubproblemOptions options;
      options.tolerance = 1e-11;
      solver.solve(options);
      const double optimum = network_loss(problem, solver.network());
      EXPECT_NEAR(polished.after, optimum, 1e-7 * optimum) << to_string(loss);
    }
  }
}

class ConstrainedPolishOf : public ::testing::TestWithParam<Kind> {};

TEST_P(ConstrainedPolishOf, FallsToAPointNoFeasibleNeighbourOfWhichIsBetter) {
  for (unsigned seed = 0; seed < 2; ++seed) {
    Setting setting = smooth_setting(seed);
    for (Index layer : {1, 2}) {
      WeightTerm term{GetParam(), layer, is_constraint(GetParam()) ? 0.6 : 0.05, {}, {}};
      const Matrix& like = setting.layers[static_cast<std::size_t>(layer) - 1].weights;
      if (term.kind == Kind::bounds) term = box(layer, like, -0.3, 0.7);
      if (term.kind == Kind::linear) {
        term.coefficients = Matrix::Ones(like.rows(), like.cols());
        term.least = term.most = 0.5;
      }
      setting.problem.weight_terms.push_back(term);
    }
    project(setting);
    const PolishResult polished = polish(setting.problem, setting.layers);
    EXPECT_LT(polished.after, polished.before);
    EXPECT_EQ(polished.after, network_loss(setting.problem, polished.layers));
    if (is_constraint(GetParam())) {
      EXPECT_GT(lift_network(setting.problem, polished.layers).active[0].minCoeff(), 0.1);
    }
    Generator random(seed);
    for (int trial = 0; trial < 200; ++trial) {
      Setting other = {setting.problem, polished.layers};
      for (Layer& layer : other.layers) {
        layer.weights += normal_matrix(random, layer.weights.rows(), layer.weights.cols(), 1e-4);
        layer.bias += normal_matrix(random, layer.bias.size(), 1, 1e-4);
      }
      project(other);
      EXPECT_GE(network_loss(setting.problem, other.layers), polished.after * (1 - 1e-7)) << "seed " << seed;
    }
    for (const WeightTerm& term : setting.problem.weight_terms) {
      const Matrix& weights = polished.layers[static_cast<std::size_t>(term.layer) - 1].weights;
      EXPECT_LE(term_violation(term, weights), term.kind == Kind::linear ? 1e-12 : 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Refinement, ConstrainedPolishOf,
                         ::testing::Values(Kind::bounds, Kind::frobenius_ball, Kind::row_ball, Kind::spectral_ball,
                                           Kind::linear, Kind::lasso, Kind::group_lasso, Kind::nuclear));

/// Bounds on some outputs and on a difference of two, a point of weight 0 among them.
void add_output_bounds(LiftedProblem& problem) {
  const Index samples = problem.samples();
  problem.output_lower.setConstant(problem.targets.rows(), samples, -kInfinity);
  problem.output_upper.setConstant(problem.targets.rows(), samples, kInfinity);
  problem.output_upper.row(0).setConstant(problem.targets.row(0).maxCoeff() / 3);
  problem.output_lower(1, samples - 1) = problem.output_upper(1, samples - 1) = 0.25;
  problem.output_terms = {
      {(Vector(2) << 1, -1).finished(), Vector::Constant(samples, -kInfinity), Vector::Constant(samples, 0.5)}};
  problem.sample_weights.setOnes(samples);
  problem.sample_weights(samples - 1) = 0;
}

class RefitOf : public ::testing::TestWithParam<Loss> {};

TEST_P(RefitOf, KeepsTheBoundsAndNoNeighbourWithinThemIsBetter) {
  for (unsigned seed = 0; seed < 4; ++seed) {
    Setting setting = noisy_setting(seed, {3, 6, 2}, 1e-2);
    add_output_bounds(setting.problem);
    setting.problem.loss = GetParam();
    EXPECT_GT(output_bound_violation(setting.problem, setting.layers), 0.01);
    const PolishResult refitted = refit_output(setting.problem, setting.layers);
    EXPECT_LE(output_bound_violation(setting.problem, refitted.layers), 1e-9);
    EXPECT_EQ(refitted.layers[0].weights, setting.layers[0].weights);
    EXPECT_EQ(refitted.after, network_loss(setting.problem, refitted.layers));
    // Convex: were there a better point within the bounds, there would be one nearby in its direction.
    Generator random(seed);
    int compared = 0;
    for (int trial = 0; trial < 400; ++trial) {
      std::vector<Layer> other = refitted.layers;
      // Directions that leave the equality alone: the bias takes up the change at that point.
      const Matrix change = normal_matrix(random, 2, 6, 1e-3);
      const Vector hidden = lift_network(setting.problem, other).active[0].rightCols<1>();
      other[1].weights += change;
      other[1].bias(0) += normal_matrix(random, 1, 1, 1e-3)(0);
      other[1].bias(1) -= change.row(1).dot(hidden);
      if (output_bound_violation(setting.problem, other) > 1e-10) continue;
      ++compared;
      EXPECT_GE(network_loss(setting.problem, other), refitted.after * (1 - 1e-6)) << "seed " << seed;
    }
    EXPECT_GT(compared, 5);
  }
}

INSTANTIATE_TEST_SUITE_P(Refinement, RefitOf,
                         ::testing::Values(Loss::squared, Loss::absolute, Loss::huber(0.5), Loss::quantile(0.8)));

TEST(Refit, WithoutBoundsIsTheLeastSquaresOfTheLayer) {
  Setting setting = noisy_setting(7, {3, 6, 2}, 0.1);
  const PolishResult refitted = refit_output(setting.problem, setting.layers);
  const LiftedPoint point = lift_network(setting.problem, refitted.layers);
  const Matrix errors = point.output - setting.problem.targets;
  const Matrix slope = errors * point.active[0].transpose() + 0.1 * refitted.layers[1].weights;
  EXPECT_LE(slope.cwiseAbs().maxCoeff(), 1e-7);
  EXPECT_LE(errors.rowwise().sum().cwiseAbs().maxCoeff(), 1e-7);
}

TEST(OutputBounds, AreChecked) {
  Setting setting = noisy_setting(1, {3, 4, 2}, 0);
  add_output_bounds(setting.problem);
  EXPECT_NO_THROW(check(setting.problem));
  const auto message = [](const LiftedProblem& problem) {
    try {
      check(problem);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  LiftedProblem broken = setting.problem;
  broken.output_upper(0, 3) = -5;
  broken.output_lower(0, 3) = 5;
  EXPECT_EQ(message(broken), "output bounds: output 1 of sample 4 between 5 and -5: no such number");
  broken = setting.problem;
  broken.output_upper.conservativeResize(1, Eigen::NoChange);
  EXPECT_EQ(message(broken), "output bounds: 1 x 40, expected 2 x 40");
  broken = setting.problem;
  broken.output_terms[0].lower(2) = 1;
  EXPECT_EQ(message(broken), "output terms: between 1 and 0.5 at sample 3: no such number");
  broken.output_terms[0].coefficients.setZero();
  EXPECT_EQ(message(broken), "output terms: coefficients, expected finite numbers that are not all 0");
  broken.output_terms[0].coefficients.resize(3);
  EXPECT_EQ(message(broken), "output terms: 3 coefficients and 40 and 40 bounds, expected 2 and 40");
  broken = setting.problem;
  broken.loss = Loss::cross_entropy;
  EXPECT_EQ(message(broken), "output bounds: given with the loss cross-entropy, expected another loss");
}

}  // namespace
}  // namespace relufit
