// Random units of deep networks, and networks with idle units, against plain evaluation.
#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "exact_fit/deep/random_units.h"
#include "relufit/network.h"

namespace relufit {
namespace {

LiftedProblem problem_with(const Activation& activation, bool skip_connections, std::vector<Index> widths) {
  Random random(3);
  LiftedProblem problem;
  problem.network.widths = std::move(widths);
  problem.network.activation = activation;
  problem.network.skip_connections = skip_connections;
  problem.inputs = random.normal(problem.network.inputs(), 60);
  problem.targets = random.normal(problem.network.outputs(), 60);
  return problem;
}

Matrix outputs(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  const Network network = Network(problem.network).with_layers(layers);
  EXPECT_EQ(network.widths(), problem.network.widths);
  return network.forward(problem.inputs);
}

TEST(RandomUnits, IdleUnitsChangeNoOutput) {
  for (const Activation activation : {Activation(Activation::relu), Activation(Activation::maxout)}) {
    for (const bool skip : {false, true}) {
      Random random(5);
      const LiftedProblem narrow = problem_with(activation, skip, {3, 2, 4, 2});
      const LiftedProblem wide = problem_with(activation, skip, {3, 5, 4, 2});
      std::vector<Layer> layers = random_network(narrow, random);
      for (Layer& layer : layers) layer.bias = random.normal(layer.bias.size(), 1);
      const Matrix expected = outputs(narrow, layers);
      EXPECT_LT((outputs(wide, widened(layers, wide.network)) - expected).norm(), 1e-13 * expected.norm());
    }
  }
}

/// Where the outputs lack one unit, a replacement must come closer to it, as a feature, than a random unit does.
TEST(RandomUnits, TheReplacementIsUsefulAndLosesOnlyTheOldUnit) {
  double useful = 0;
  double random_use = 0;
  for (unsigned long long seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    LiftedProblem problem = problem_with(Activation::relu, false, {3, 4, 3, 1});
    const std::vector<Layer> teacher = random_network(problem, random);
    const std::vector<Layer> missing = random_network(problem, random);
    std::vector<Layer> layers = teacher;
    layers[1].weights.col(2).setZero();
    problem.targets = outputs(problem, teacher);
    NetworkErrors errors(problem);

    std::vector<Layer> without = layers;
    without[1].weights.col(1).setZero();
    std::vector<Layer> replaced = layers;
    replace_unit(problem, errors, 0, 1, random, replaced);
    EXPECT_EQ(outputs(problem, replaced), outputs(problem, without));
    for (Index row = 0; row < 4; ++row) EXPECT_EQ(replaced[0].weights.row(row) == layers[0].weights.row(row), row != 1);

    // Cosine of the unit's values with those of the missing one, both centered.
    const auto likeness = [&](const Layer& layer, Index row) {
      const auto values = [&](const Layer& of, Index unit) {
        Vector result = (problem.inputs.transpose() * of.weights.row(unit).transpose()).array() + of.bias(unit);
        result = result.cwiseMax(0.0);
        return Vector(result.array() - result.mean());
      };
      const Vector a = values(layer, row);
      const Vector b = values(teacher[0], 2);
      return std::abs(a.dot(b)) / (a.norm() * b.norm());
    };
    useful += likeness(replaced[0], 1);
    random_use += likeness(missing[0], 1);
  }
  EXPECT_GT(useful, random_use);
}

}  // namespace
}  // namespace relufit
