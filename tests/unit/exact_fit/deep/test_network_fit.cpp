// Fits that keep some units, and robust ones.
#include <gtest/gtest.h>

#include <vector>

#include "exact_fit/deep/network_fit.h"
#include "exact_fit/deep/random_units.h"
#include "relufit/fit.h"
#include "relufit/teacher.h"
#include "support/search_problems.h"

namespace relufit {
namespace {

using testing_search::teacher_problem;

TEST(NetworkFit, GivenUnitsKeepTheirWeights) {
  for (const bool bias : {true, false}) {
    for (const Index given : {0, 1, 3, 5}) {
      const Teacher teacher = make_teacher({3, 5, 4, 2}, OutputActivation::linear, 100, 1);
      LiftedProblem problem = teacher_problem({3, 5, 4, 2}, OutputActivation::linear, 100, 1);
      problem.bias = bias;
      const Layer& first = teacher.network.layers()[0];
      const Layer units{first.weights.topRows(given), bias ? Vector(first.bias.head(given)) : Vector::Zero(given)};
      Random random(2);
      const std::vector<Layer> start = random_network(problem, random, units);
      EXPECT_EQ(start[0].weights.topRows(given), units.weights);
      EXPECT_EQ(start[0].bias.head(given), units.bias);

      NetworkFit fit(problem, given);
      EXPECT_EQ(fit.free_count(), fit.errors().parameter_count() - given * (bias ? 4 : 3));
      Vector parameters = fit.errors().pack(start);
      UnitFitOptions options;
      options.max_iterations = 20;
      const double before = relative_residual(problem, start);
      const double reached = fit.run(parameters, options);
      EXPECT_LT(reached, before);
      const std::vector<Layer> layers = fit.errors().unpack(parameters);
      EXPECT_NEAR(relative_residual(problem, layers), reached, 1e-12);
      EXPECT_EQ(layers[0].weights.topRows(given), units.weights);
      EXPECT_EQ(layers[0].bias.head(given), units.bias);
      EXPECT_EQ(layers[0].weights.bottomRows(1) == start[0].weights.bottomRows(1), given == 5);
      EXPECT_NE(layers[1].weights, start[1].weights);
    }
  }
}

/// Targets that a few samples do not have from the teacher: a robust fit finds it, exactly.
TEST(NetworkFit, RobustFitsAreExactWhereFewSamplesAreWrong) {
  const Teacher teacher = make_teacher({3, 4, 3, 2}, OutputActivation::linear, 200, 3);
  const LiftedProblem clean = teacher_problem({3, 4, 3, 2}, OutputActivation::linear, 200, 3);
  LiftedProblem problem = clean;
  problem.targets.leftCols(4).array() += 5;
  Random random(1);
  std::vector<Layer> near = teacher.network.layers();
  for (Layer& layer : near) layer.weights += 1e-3 * random.normal(layer.weights.rows(), layer.weights.cols());

  NetworkFit fit(problem);
  Vector parameters = fit.errors().pack(near);
  fit.run_robust(parameters, UnitFitOptions{});
  EXPECT_LT(relative_residual(clean, fit.errors().unpack(parameters)), 1e-9);
  // Afterwards all errors count alike.
  const Vector found = parameters;
  fit.run(parameters, UnitFitOptions{});
  EXPECT_GT(relative_residual(clean, fit.errors().unpack(parameters)), 1e-3);
  EXPECT_LT(relative_residual(problem, fit.errors().unpack(parameters)),
            relative_residual(problem, fit.errors().unpack(found)));
}

}  // namespace
}  // namespace relufit
