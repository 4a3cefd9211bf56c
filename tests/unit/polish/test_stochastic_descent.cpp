// Descent on batches: where it ends, beside the normal equations and a teacher, and what it must not depend on.
#include <gtest/gtest.h>

#include <Eigen/LU>

#include "polish/stochastic_descent.h"
#include "problem/sample_sums.h"
#include "relufit/fit.h"
#include "relufit/teacher.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_layers;

constexpr Index kSamples = 20000;
constexpr double kNoise = 0.3;

LiftedProblem noisy_problem(std::vector<Index> widths) {
  const Teacher teacher = make_teacher(widths, OutputActivation::linear, kSamples, 5);
  Generator random(2);
  LiftedProblem problem;
  problem.inputs = teacher.inputs;
  problem.targets = teacher.targets + normal_matrix(random, widths.back(), kSamples, kNoise);
  problem.network.widths = std::move(widths);
  problem.loss = Loss::squared;
  return problem;
}

std::vector<Layer> start(const LiftedProblem& problem) {
  Generator random(7);
  return random_layers(random, problem.network.widths, 0.5, 0.1, problem.network.skip_connections,
                       problem.network.activation);
}

/// Of a linear model with a ridge on its weights alone the optimum is a linear system's solution.
TEST(StochasticDescent, EndsAtTheOptimumOfALinearModel) {
  LiftedProblem problem = noisy_problem({4, 2});
  problem.ridge = 0.2 * kSamples;
  Generator random(3);
  problem.sample_weights = normal_matrix(random, 1, kSamples).cwiseAbs().transpose();
  Matrix rows(5, kSamples);
  rows << problem.inputs, Matrix::Ones(1, kSamples);
  const Matrix weighted = rows * problem.sample_weights.asDiagonal();
  Matrix normal = weighted * rows.transpose();
  normal.diagonal().head(4).array() += problem.ridge;
  const Matrix solution = (problem.targets * weighted.transpose()) * normal.inverse();
  const double least = network_loss(problem, {{solution.leftCols(4), solution.col(4)}});
  const std::vector<Layer> found = descend(problem, start(problem), {.steps = 2000, .seed = 1});
  EXPECT_GE(network_loss(problem, found), least * (1 - 1e-12));
  EXPECT_LE(network_loss(problem, found), least * 1.001);  // what batches leave, the rate having fallen to 0
}

TEST(StochasticDescent, LeavesOfATeacherTheNoise) {
  for (const std::vector<Index>& widths : {std::vector<Index>{5, 4, 1}, std::vector<Index>{4, 6, 5, 2}}) {
    const LiftedProblem problem = noisy_problem(widths);
    const std::vector<Layer> found = descend(problem, start(problem), {.steps = 4000, .seed = 1});
    const double noise = 0.5 * kNoise * kNoise * static_cast<double>(problem.targets.size());
    EXPECT_LE(network_loss(problem, found), 1.1 * noise) << widths.size();
  }
}

TEST(StochasticDescent, DoesNotDependOnThreadsButOnTheSeed) {
  const LiftedProblem problem = noisy_problem({5, 4, 1});
  const auto found = [&](int threads, unsigned long long seed) {
    return descend(problem, start(problem), {.steps = 100, .seed = seed, .threads = threads}).front().weights;
  };
  const Matrix one = found(1, 1);
  EXPECT_EQ(one, found(2, 1));
  EXPECT_EQ(one, found(5, 1));
  EXPECT_NE(one, found(1, 2));
}

TEST(StochasticDescent, HasEveryActivationAndNoBiases) {
  for (const Activation& activation : {Activation::leaky_relu(0.1), Activation::maxout, Activation::hard_tanh}) {
    for (const bool skip : {false, true}) {
      LiftedProblem problem = noisy_problem({4, 6, 2});
      problem.network.activation = activation;
      problem.network.skip_connections = skip;
      problem.bias = skip;
      const std::vector<Layer> begin = start(problem);
      const std::vector<Layer> found = descend(problem, begin, {.steps = 300, .seed = 1});
      EXPECT_LT(network_loss(problem, found), network_loss(problem, begin));
      if (!problem.bias) {
        EXPECT_TRUE(found.front().bias.isZero(0));
      }
    }
  }
}

}  // namespace
}  // namespace relufit
