// Units without effect: replaced where that lowers the objective, and only there.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "polish/units/revive.h"
#include "problem/network_errors.h"
#include "relufit/fit.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_layers;
using testing_random::random_targets;

LiftedProblem problem_of(Generator& random, const std::vector<Index>& widths, Index samples, const Loss& loss) {
  LiftedProblem problem;
  problem.inputs = normal_matrix(random, widths.front(), samples);
  problem.targets = random_targets(random, loss, widths.back(), samples);
  problem.network.widths = widths;
  problem.loss = loss;
  return problem;
}

std::vector<Layer> zero_layers(const LiftedProblem& problem) {
  std::vector<Layer> layers;
  for (const LayerShape& shape : problem.network.layers()) {
    layers.push_back({Matrix::Zero(shape.rows, shape.columns), Vector::Zero(shape.rows)});
  }
  return layers;
}

TEST(Slopes, AreTheChangeOfTheLossByEveryArgument) {
  constexpr double kStep = 1e-6;
  Generator random(3);
  for (const Loss& loss : {Loss(Loss::squared), Loss(Loss::logistic), Loss(Loss::cross_entropy)}) {
    LiftedProblem problem = problem_of(random, {3, 4, 5, 3}, 6, loss);
    problem.ridge = 0.3;
    const std::vector<Layer> layers = random_layers(random, problem.network.widths);
    NetworkErrors errors(problem);
    const std::vector<Matrix> slopes = errors.slopes(errors.pack(layers));
    // The argument of one sample changes alone where the problem has no other.
    LiftedProblem single = problem;
    single.inputs = problem.inputs.col(2);
    single.targets = problem.targets.col(2);
    single.ridge = 0;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      ASSERT_EQ(slopes[l].rows(), layers[l].weights.rows());
      ASSERT_EQ(slopes[l].cols(), problem.samples());
      for (Index i = 0; i < slopes[l].rows(); ++i) {
        std::vector<Layer> moved = layers;
        moved[l].bias(i) += kStep;
        const double high = network_loss(single, moved);
        moved[l].bias(i) -= 2 * kStep;
        EXPECT_NEAR(slopes[l](i, 2), (high - network_loss(single, moved)) / (2 * kStep), 1e-7);
      }
    }
  }
}

TEST(Revive, LowersTheLossOfANetworkWithoutWeights) {
  Generator random(1);
  for (const Loss& loss : {Loss(Loss::squared), Loss(Loss::logistic), Loss(Loss::cross_entropy)}) {
    for (const Index samples : {40, 5000}) {
      LiftedProblem problem = problem_of(random, {5, 8, 3}, samples, loss);
      std::vector<Layer> layers = zero_layers(problem);
      const double before = network_loss(problem, layers);
      EXPECT_EQ(revive_units(problem, layers, 7), 8);
      EXPECT_LT(network_loss(problem, layers), before);
    }
  }
}

TEST(Revive, TakesUnitsOfDeepLayersOneAfterTheOther) {
  Generator random(2);
  LiftedProblem problem = problem_of(random, {4, 6, 5, 2}, 60, Loss::squared);
  std::vector<Layer> layers = random_layers(random, problem.network.widths);
  layers[1].weights.col(3).setZero();
  layers[2].weights.col(1).setZero();
  const std::vector<Layer> given = layers;
  EXPECT_EQ(revive_units(problem, layers, 7), 2);
  EXPECT_LT(network_loss(problem, layers), network_loss(problem, given));
  for (Index unit = 0; unit < 6; ++unit)
    EXPECT_EQ(layers[0].weights.row(unit) == given[0].weights.row(unit), unit != 3);
  for (Index unit = 0; unit < 5; ++unit)
    EXPECT_EQ(layers[2].weights.col(unit) == given[2].weights.col(unit), unit != 1);
}

TEST(Revive, LeavesUnitsWithEffectAndOtherActivationsAsTheyAre) {
  Generator random(4);
  LiftedProblem problem = problem_of(random, {4, 6, 2}, 60, Loss::squared);
  std::vector<Layer> layers = random_layers(random, problem.network.widths);
  std::vector<Layer> kept = layers;
  EXPECT_EQ(revive_units(problem, kept, 7), 0);
  for (std::size_t l = 0; l < 2; ++l) EXPECT_EQ(kept[l].weights, layers[l].weights);
  problem.network.activation = Activation::maxout;
  std::vector<Layer> maxout = zero_layers(problem);
  EXPECT_EQ(revive_units(problem, maxout, 7), 0);
}

/// The largest |G relu(u'X + b)| over unit directions in the plane and bends at samples: with the output's bias optimal
/// the values of G sum to 0, so that it is linear in b between samples.
double largest_worth(const LiftedProblem& problem) {
  const Matrix slopes = problem.targets.colwise() - problem.targets.rowwise().mean().eval();
  double most = 0;
  for (int k = 0; k < 2000; ++k) {
    const double angle = 2 * std::numbers::pi * k / 2000;
    const Eigen::RowVectorXd along = Eigen::RowVector2d(std::cos(angle), std::sin(angle)) * problem.inputs;
    for (Index i = 0; i < problem.samples(); ++i) {
      const Vector values = (along.array() - along(i)).cwiseMax(0.0).transpose();
      most = std::max(most, (slopes * values).norm());
    }
  }
  return most;
}

/// Never where there is none; mostly where there is one, the search being at random.
TEST(Revive, FindsDirectionsThatLowerTheObjective) {
  int found = 0;
  for (unsigned seed = 0; seed < 40; ++seed) {
    Generator random(seed);
    LiftedProblem problem = problem_of(random, {2, 3, 2}, 25, Loss::squared);
    std::vector<Layer> layers = zero_layers(problem);
    layers[1].bias = problem.targets.rowwise().mean();
    const double most = largest_worth(problem);
    problem.ridge = 1.02 * most;  // the grid of angles misses less
    EXPECT_EQ(revive_units(problem, layers, 7), 0) << seed;
    problem.ridge = 0.9 * most;
    found += revive_units(problem, layers, 7) > 0 ? 1 : 0;
  }
  EXPECT_GE(found, 34);
}

}  // namespace
}  // namespace relufit
