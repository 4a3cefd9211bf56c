// Balanced networks: the same function, a ridge that does not rise, norms that agree.
#include <gtest/gtest.h>

#include "polish/units/balance.h"
#include "relufit/fit.h"
#include "relufit/polish.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_layers;

LiftedProblem problem_of(Generator& random, std::vector<Index> widths, const Activation& activation, bool skip) {
  LiftedProblem problem;
  problem.inputs = normal_matrix(random, widths.front(), 20);
  problem.targets = normal_matrix(random, widths.back(), 20);
  problem.network.widths = std::move(widths);
  problem.network.activation = activation;
  problem.network.skip_connections = skip;
  problem.loss = Loss::squared;
  problem.ridge = 0.1;
  return problem;
}

TEST(Balance, KeepsTheFunctionAndLowersTheRidge) {
  Generator random(1);
  for (const Activation& activation :
       {Activation::relu, Activation::leaky_relu(0.2), Activation::absolute, Activation::maxout}) {
    for (const bool skip : {false, true}) {
      for (const std::vector<Index>& widths : {std::vector<Index>{3, 4, 2}, std::vector<Index>{3, 4, 5, 3, 2}}) {
        const LiftedProblem problem = problem_of(random, widths, activation, skip);
        std::vector<Layer> layers = random_layers(random, widths, 1, 0.5, skip, activation);
        layers[0].weights *= 100;
        layers[1].weights.col(1).setZero();  // has no effect, and no scale
        const std::vector<Layer> result = balanced(problem, layers);
        const Matrix outputs = network_of(problem, layers).forward(problem.inputs);
        const Matrix difference = network_of(problem, result).forward(problem.inputs) - outputs;
        EXPECT_LE(difference.norm(), 1e-12 * outputs.norm());
        EXPECT_LT(network_loss(problem, result), network_loss(problem, layers));
        const Index arguments = arguments_per_unit(activation);
        for (std::size_t l = 0; l + 1 < result.size(); ++l) {
          for (Index unit = 0; unit < widths[l + 1]; ++unit) {
            if (l == 0 && unit == 1) continue;
            const auto rows = Eigen::seqN(unit, arguments, widths[l + 1]);
            const double incoming = result[l].weights(rows, Eigen::all).norm();
            EXPECT_NEAR(incoming, result[l + 1].weights.col(unit).norm(), 1e-9 * incoming);
          }
        }
      }
    }
  }
}

TEST(Balance, LeavesOthersAsTheyAre) {
  Generator random(2);
  const std::vector<Index> widths = {3, 4, 2};
  const std::vector<Layer> layers = random_layers(random, widths, 1, 0.5);
  const auto is_same = [&](const LiftedProblem& problem) {
    return balanced(problem, layers)[0].weights == layers[0].weights;
  };
  LiftedProblem problem = problem_of(random, widths, Activation::relu, false);
  EXPECT_FALSE(is_same(problem));
  problem.network.activation = Activation::clipped_relu(1);
  EXPECT_TRUE(is_same(problem));
  problem.network.activation = Activation::relu;
  problem.weight_terms.push_back({WeightTerm::Kind::lasso, 1, 0.1, {}, {}});
  EXPECT_TRUE(is_same(problem));
  problem.weight_terms.clear();
  problem.ridge = 0;
  EXPECT_TRUE(is_same(problem));
}

TEST(Balance, IsWhatPolishEndsWith) {
  Generator random(3);
  for (const double tolerance : {0.0, 1e-2}) {
    const LiftedProblem problem = problem_of(random, {3, 4, 2}, Activation::relu, false);
    std::vector<Layer> layers = random_layers(random, problem.network.widths, 1, 0.5);
    layers[0].weights *= 5;
    PolishOptions options;
    options.tolerance = tolerance;
    options.max_iterations = 20;
    const PolishResult result = polish(problem, layers, options);
    EXPECT_LE(result.after, result.before);
    EXPECT_DOUBLE_EQ(result.after, network_loss(problem, result.layers));
    const Vector incoming = result.layers[0].weights.rowwise().norm();
    const Vector outgoing = result.layers[1].weights.colwise().norm().transpose();
    EXPECT_LE((incoming - outgoing).norm(), 1e-9 * incoming.norm());
  }
}

}  // namespace
}  // namespace relufit
