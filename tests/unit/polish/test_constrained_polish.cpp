// Polish under constraints: its kernels against definitions and optimality conditions, its results against each other.
#include <gtest/gtest.h>

#include <limits>

#include "network/smooth_activation.h"
#include "polish/box_quadratic.h"
#include "polish/constrained_polish.h"
#include "relufit/fit.h"
#include "support/random.h"

namespace relufit {
namespace {

using Kind = WeightTerm::Kind;
using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_layers;
using testing_random::random_targets;
using testing_random::uniform;
using testing_random::uniform_matrix;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(SmoothActivation, IsNearAndHasItsDerivatives) {
  Generator random(7);
  for (const Activation& activation : {Activation::relu, Activation::leaky_relu(0.2), Activation::absolute,
                                       Activation::clipped_relu(0.7), Activation::hard_tanh, Activation::maxout}) {
    const Matrix arguments = normal_matrix(random, arguments_per_unit(activation), 100, 2);
    double factors = 0;
    for (const ActivationPiece& piece : lift_of(activation).pieces) {
      factors += std::abs(piece.above) + std::abs(piece.below);
    }
    for (const double width : {1.0, 0.1, 1e-9}) {
      Matrix values(1, 100), sharp(1, 100), low(1, 100), high(1, 100), slopes = arguments, ignored = arguments;
      evaluate_smoothed(activation, width, arguments, values, slopes);
      evaluate(activation, arguments, sharp);
      EXPECT_LE((values - sharp).cwiseAbs().maxCoeff(), factors * width / 2 + 1e-14) << to_string(activation);
      if (width < 0.1) continue;  // differences would step over the corner
      constexpr double kStep = 1e-5;
      for (Index row = 0; row < arguments.rows(); ++row) {
        Matrix moved = arguments;
        moved.row(row).array() -= kStep;
        evaluate_smoothed(activation, width, moved, low, ignored);
        moved.row(row).array() += 2 * kStep;
        evaluate_smoothed(activation, width, moved, high, ignored);
        EXPECT_LE(((high - low) / (2 * kStep) - slopes.row(row)).cwiseAbs().maxCoeff(), 1e-7) << to_string(activation);
      }
    }
  }
}

TEST(BoxQuadratic, MeetsTheOptimalityConditions) {
  Generator random(1);
  for (int repeat = 0; repeat < 40; ++repeat) {
    const Index size = 1 + repeat % 12;
    const Matrix root = normal_matrix(random, size + 1, size);
    const Matrix m = root.transpose() * root + 0.1 * Matrix::Identity(size, size);
    const Vector center = normal_matrix(random, size, 1);
    Vector lower = center - uniform_matrix(random, size, 1, 0, 1);
    Vector upper = center + uniform_matrix(random, size, 1, 0, 1);
    if (repeat % 3 == 0) lower(0) = -kInfinity;
    if (repeat % 4 == 0) upper.setConstant(kInfinity);
    if (repeat % 5 == 0) upper(size - 1) = lower(size - 1) = 0.3;
    BoxQuadratic solver;
    for (int again = 0; again < 3; ++again) {  // from the sets of another problem, too
      const Vector gradient = normal_matrix(random, size, 1, 3);
      const auto [d, converged] = solver.minimize(m, gradient, lower, upper);
      EXPECT_TRUE(converged);
      const Vector slope = gradient + m * d;
      for (Index i = 0; i < size; ++i) {
        EXPECT_GE(d(i), lower(i));
        EXPECT_LE(d(i), upper(i));
        if (d(i) > lower(i)) {
          EXPECT_LE(slope(i), 1e-10) << "could be smaller";
        }
        if (d(i) < upper(i)) {
          EXPECT_GE(slope(i), -1e-10) << "could be larger";
        }
      }
    }
  }
}

WeightTerm box(Index layer, Index rows, Index cols, double lower, double upper) {
  return {Kind::bounds, layer, 0, Matrix::Constant(rows, cols, lower), Matrix::Constant(rows, cols, upper)};
}

/// Noisy targets and a network that keeps the problem's constraints.
struct Setting {
  LiftedProblem problem;
  std::vector<Layer> layers;
};

Setting setting(Generator& random, const std::vector<Index>& widths, const std::vector<WeightTerm>& terms,
                Loss loss = Loss::squared) {
  Setting result;
  LiftedProblem& problem = result.problem;
  problem.network.widths = widths;
  problem.loss = loss;
  problem.ridge = 0.1;
  problem.inputs = normal_matrix(random, widths.front(), 80);
  problem.targets = random_targets(random, loss, widths.back(), 80);
  problem.weight_terms = terms;
  result.layers = random_layers(random, widths);
  for (std::size_t l = 0; l < result.layers.size(); ++l) {
    project_onto_constraints(terms, static_cast<Index>(l) + 1, result.layers[l].weights);
  }
  return result;
}

double worst_violation(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  double worst = 0;
  for (const WeightTerm& term : problem.weight_terms) {
    worst = std::max(worst, term_violation(term, layers[static_cast<std::size_t>(term.layer) - 1].weights));
  }
  return worst;
}

// Far from all kinks: by differences of the loss along each weight and bias, no step that the bounds allow lowers it.
TEST(ConstrainedPolish, BoundedOptimumHasNoFeasibleDescent) {
  Generator random(2);
  Setting s = setting(random, {3, 4, 2}, {box(1, 4, 3, -0.2, 0.1), box(2, 2, 4, 0, 0.15)});
  s.layers[0].bias.setConstant(20);
  PolishOptions options;
  options.max_iterations = 5000;
  const PolishResult result = polish(s.problem, s.layers, options);
  EXPECT_LT(result.after, result.before);
  EXPECT_EQ(result.after, network_loss(s.problem, result.layers));
  constexpr double kStep = 1e-5;
  int at_bounds = 0;
  for (std::size_t l = 0; l < 2; ++l) {
    const WeightTerm& term = s.problem.weight_terms[l];
    for (Index i = 0; i < term.lower.size() + result.layers[l].bias.size(); ++i) {
      const bool weight = i < term.lower.size();
      const auto slope = [&](double sign) {
        std::vector<Layer> moved = result.layers;
        (weight ? moved[l].weights(i) : moved[l].bias(i - term.lower.size())) += sign * kStep;
        std::vector<Layer> back = result.layers;
        (weight ? back[l].weights(i) : back[l].bias(i - term.lower.size())) -= sign * kStep;
        return (network_loss(s.problem, moved) - network_loss(s.problem, back)) / (2 * kStep);
      };
      const double value = weight ? result.layers[l].weights(i) : 0;
      if (!weight || value < term.upper(i)) {
        EXPECT_GE(slope(1), -1e-4) << "layer " << l << " parameter " << i;
      }
      if (!weight || value > term.lower(i)) {
        EXPECT_GE(slope(-1), -1e-4) << "layer " << l << " parameter " << i;
      }
      at_bounds += weight && (value == term.upper(i) || value == term.lower(i)) ? 1 : 0;
    }
  }
  EXPECT_GE(at_bounds, 3);
  EXPECT_LE(worst_violation(s.problem, result.layers), 0);
}

// A linear model is a convex problem: bounds by active sets, and the same as linear terms by splitting, have one
// optimum.
TEST(ConstrainedPolish, ActiveSetsAndSplittingAgreeOnAConvexProblem) {
  Generator random(3);
  Setting s = setting(random, {4, 2}, {box(1, 2, 4, -0.05, 0.03)});
  const PolishResult by_sets = polish(s.problem, s.layers);
  s.problem.weight_terms.clear();
  for (Index i = 0; i < 8; ++i) {
    WeightTerm term{Kind::linear, 1, 0, {}, {}};
    term.coefficients = Matrix::Zero(2, 4);
    term.coefficients(i) = 1;
    term.least = -0.05;
    term.most = 0.03;
    s.problem.weight_terms.push_back(term);
  }
  const PolishResult by_splitting = polish(s.problem, s.layers);
  EXPECT_LT(by_sets.after, by_sets.before);
  EXPECT_NEAR(by_sets.after, by_splitting.after, 1e-8 * by_sets.after);
  EXPECT_LE((by_sets.layers[0].weights - by_splitting.layers[0].weights).cwiseAbs().maxCoeff(), 1e-5);
}

class Race : public ::testing::TestWithParam<Loss> {};

TEST_P(Race, KeepsConstraintsLowersTheLossAndForgetsThreads) {
  const Index outputs = GetParam() == Loss::cross_entropy ? 3 : 1;
  const std::vector<std::vector<WeightTerm>> cases = {
      {box(1, 6, 3, -0.3, 0.4), box(2, 4, 6, 0, kInfinity), box(3, outputs, 4, -0.5, 0.5)},
      {{Kind::spectral_ball, 1, 0.8, {}, {}}, {Kind::frobenius_ball, 2, 1, {}, {}}, {Kind::row_ball, 3, 0.7, {}, {}}},
      {box(1, 6, 3, -0.3, 0.4), {Kind::spectral_ball, 1, 0.8, {}, {}}, {Kind::group_lasso, 2, 0.5, {}, {}}}};
  for (const std::vector<WeightTerm>& terms : cases) {
    Generator random(4);
    Setting s = setting(random, {3, 6, 4, outputs}, terms, GetParam());
    std::vector<std::vector<Layer>> networks = {s.layers};
    for (int i = 0; i < 4; ++i) {
      networks.push_back(random_layers(random, s.problem.network.widths));
      for (std::size_t l = 0; l < 3; ++l) {
        project_onto_constraints(terms, static_cast<Index>(l) + 1, networks.back()[l].weights);
      }
    }
    PolishOptions options;
    options.max_iterations = 80;
    const RaceResult result = race(s.problem, networks, options, 1);
    EXPECT_EQ(result.polish.before, network_loss(s.problem, networks[static_cast<std::size_t>(result.winner)]));
    EXPECT_EQ(result.polish.after, network_loss(s.problem, result.polish.layers));
    for (const std::vector<Layer>& layers : networks) EXPECT_LT(result.polish.after, network_loss(s.problem, layers));
    EXPECT_LE(worst_violation(s.problem, result.polish.layers), 0);
    EXPECT_LE(result.polish.iterations, 80);
    const RaceResult threaded = race(s.problem, networks, options, 3);
    EXPECT_EQ(threaded.winner, result.winner);
    for (std::size_t l = 0; l < 3; ++l) {
      EXPECT_EQ(threaded.polish.layers[l].weights, result.polish.layers[l].weights);
      EXPECT_EQ(threaded.polish.layers[l].bias, result.polish.layers[l].bias);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(ConstrainedPolish, Race,
                         ::testing::Values(Loss::squared, Loss::huber(0.5), Loss::logistic, Loss::cross_entropy));

// What the race is for: from the same networks, of the teacher's constraints, plain descents end higher.
TEST(ConstrainedPolish, RaceGetsPastLocalMinima) {
  Generator random(5);
  int better = 0;
  constexpr int kProblems = 6;
  for (int problem = 0; problem < kProblems; ++problem) {
    const std::vector<WeightTerm> terms = {box(1, 6, 4, -0.5, 0.5), box(2, 1, 6, -1, 1)};
    Setting s = setting(random, {4, 6, 1}, terms);
    s.problem.ridge = 1e-3;
    s.problem.targets = Network(s.layers, OutputActivation::linear).forward(s.problem.inputs);
    std::vector<std::vector<Layer>> networks;
    double least = kInfinity;
    for (int i = 0; i < 4; ++i) {
      networks.push_back(setting(random, {4, 6, 1}, terms).layers);
      least = std::min(least, polish(s.problem, networks.back()).after);
    }
    better += race(s.problem, networks, {}, 1).polish.after < least ? 1 : 0;
  }
  EXPECT_GT(better, kProblems / 2);
}

TEST(ConstrainedPolish, StopsWhenAsked) {
  Generator random(6);
  const Setting s = setting(random, {3, 4, 1}, {box(1, 4, 3, -1, 1)});
  PolishOptions options;
  options.should_stop = [] { return true; };
  const RaceResult result = race(s.problem, {s.layers, s.layers}, options, 2);
  EXPECT_TRUE(result.polish.interrupted);
  EXPECT_EQ(result.polish.iterations, 0);
  EXPECT_EQ(result.polish.after, result.polish.before);
}

}  // namespace
}  // namespace relufit
