/// \file
/// A convex subproblem with its optimum by definition: nothing feasible is better. Shared by the tests of the solver.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "relufit/subproblem.h"
#include "support/random.h"

namespace relufit::testing_subproblem {

using testing_random::Generator;
using testing_random::log_uniform;
using testing_random::normal_matrix;

struct Setting {
  LiftedProblem problem;
  RelaxationParameters parameters;
  RelaxationWeights weights;
};

inline SubproblemOptions precise() {
  SubproblemOptions options;
  options.tolerance = 1e-11;
  options.max_iterations = 100000;
  return options;
}

// A feasible point near x, random: pairs are raised until both parts are nonnegative, then W and Z moved.
inline LiftedPoint feasible_neighbour(Generator& random, const LiftedProblem& problem, const LiftedPoint& x,
                                      double size) {
  LiftedPoint y = x;
  for (Layer& layer : y.layers) {
    layer.weights += normal_matrix(random, layer.weights.rows(), layer.weights.cols(), size);
    layer.bias += normal_matrix(random, layer.bias.size(), 1, size);
  }
  for (std::size_t l = 0; l < y.active.size(); ++l) {
    Matrix& active = y.active[l];
    Matrix z = active - y.slack[l] + normal_matrix(random, active.rows(), active.cols(), size);
    if (l == 0) z = (y.layers[0].weights * problem.inputs).colwise() + y.layers[0].bias;
    active += normal_matrix(random, active.rows(), active.cols(), size);
    active = active.cwiseMax(z).cwiseMax(0.0).eval();
    y.slack[l] = active - z;
  }
  if (problem.loss != Loss::exact) {
    y.output += normal_matrix(random, y.output.rows(), y.output.cols(), size);
  } else if (problem.network.output == OutputActivation::relu) {
    const Matrix moved = y.output + normal_matrix(random, y.output.rows(), y.output.cols(), size);
    y.output = (problem.targets.array() > 0).select(problem.targets, moved.cwiseMin(0.0));
  }
  return y;
}

// By convexity nothing but the optimum survives this: no feasible point near or far is better.
inline void expect_optimal(Generator& random, const Setting& setting, const LiftedPoint& point) {
  const auto value = [&](const LiftedPoint& p) {
    return relaxation_objective(setting.problem, setting.parameters, setting.weights, p);
  };
  const double best = value(point);
  const Violations violation = violations(setting.problem, point);
  EXPECT_LE(std::max({violation.affine, violation.sign, violation.output}), 1e-9);
  for (int i = 0; i < 300; ++i) {
    const double size = i == 0 ? 0.0 : log_uniform(random, -6, 0);
    const double other = value(feasible_neighbour(random, setting.problem, point, size));
    ASSERT_GE(other, best - 1e-9 * (1 + best)) << "size " << size;
  }
  // Along straight lines into the feasible set the derivative must not be negative.
  for (int i = 0; i < 50; ++i) {
    const LiftedPoint other = feasible_neighbour(random, setting.problem, zero_point(setting.problem), 1.0);
    LiftedPoint between = point;
    const double t = 1e-3;
    for (std::size_t l = 0; l < between.layers.size(); ++l) {
      between.layers[l].weights += t * (other.layers[l].weights - point.layers[l].weights);
      between.layers[l].bias += t * (other.layers[l].bias - point.layers[l].bias);
    }
    for (std::size_t l = 0; l < between.active.size(); ++l) {
      between.active[l] += t * (other.active[l] - point.active[l]);
      between.slack[l] += t * (other.slack[l] - point.slack[l]);
    }
    if (setting.problem.loss != Loss::exact) between.output += t * (other.output - point.output);
    ASSERT_GE(value(between), best - 1e-9 * (1 + best));
  }
}

inline Setting random_setting(Generator& random, const std::vector<Index>& widths, Index samples,
                              OutputActivation output, Loss loss, double ridge) {
  Setting setting;
  setting.problem = testing_random::teacher_problem(random, widths, samples, output, loss, ridge).problem;
  setting.parameters = testing_random::random_parameters(random, setting.problem, 0.5);
  setting.weights = {testing_random::uniform(random, 0.5, 2), testing_random::uniform(random, 0.5, 5)};
  return setting;
}

}  // namespace relufit::testing_subproblem
