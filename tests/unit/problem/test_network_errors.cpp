// The loss of a network, block by block: the same as all at once, whatever the number of samples and threads.
#include <gtest/gtest.h>

#include "problem/network_errors.h"
#include "relufit/fit.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_layers;
using testing_random::random_targets;

LiftedProblem problem_of(Generator& random, Index samples, const Loss& loss) {
  LiftedProblem problem;
  problem.inputs = normal_matrix(random, 3, samples);
  problem.targets = random_targets(random, loss, 2, samples);
  problem.network.widths = {3, 5, 4, 2};
  problem.loss = loss;
  problem.ridge = 0.2;
  return problem;
}

class Blocks : public ::testing::TestWithParam<Index> {};

TEST_P(Blocks, LossIsThatOfPlainEvaluation) {
  Generator random(7);
  for (const Loss& loss :
       {Loss(Loss::squared), Loss(Loss::logistic), Loss(Loss::cross_entropy), Loss(Loss::absolute)}) {
    for (const bool weighted : {false, true}) {
      LiftedProblem problem = problem_of(random, GetParam(), loss);
      if (weighted) problem.sample_weights = normal_matrix(random, GetParam(), 1).cwiseAbs();
      const std::vector<Layer> layers = random_layers(random, problem.network.widths);
      NetworkErrors errors(problem);
      const double expected = network_loss(problem, layers);
      EXPECT_NEAR(errors.loss(errors.pack(layers)), expected, 1e-12 * expected);
    }
  }
}

TEST_P(Blocks, GradientIsTheSumOverAllSamples) {
  Generator random(8);
  for (const Loss& loss : {Loss(Loss::squared), Loss(Loss::cross_entropy)}) {
    LiftedProblem problem = problem_of(random, GetParam(), loss);
    const std::vector<Layer> layers = random_layers(random, problem.network.widths);
    NetworkErrors errors(problem);
    const Vector parameters = errors.pack(layers);
    Vector gradient(parameters.size());
    const double value = errors.loss(parameters, gradient);
    EXPECT_EQ(value, errors.loss(parameters));
    // By the problem of every sample alone.
    LiftedProblem single = problem;
    single.ridge = 0;
    Vector sum = Vector::Zero(parameters.size());
    for (Index i = 0; i < GetParam(); ++i) {
      single.inputs = problem.inputs.col(i);
      single.targets = problem.targets.col(i);
      Vector one(parameters.size());
      NetworkErrors(single).loss(parameters, one);
      sum += one;
    }
    for (std::size_t l = 0; l < layers.size(); ++l) {
      sum.segment(errors.offset(l), layers[l].weights.size()) += problem.ridge * layers[l].weights.reshaped();
    }
    EXPECT_LE((gradient - sum).norm(), 1e-11 * sum.norm());
  }
}

TEST_P(Blocks, ThreadsChangeNothing) {
  Generator random(9);
  const LiftedProblem problem = problem_of(random, GetParam(), Loss::squared);
  const std::vector<Layer> layers = random_layers(random, problem.network.widths);
  NetworkErrors one(problem);
  const Vector parameters = one.pack(layers);
  Vector first(parameters.size());
  const double value = one.loss(parameters, first);
  for (const int threads : {2, 3, 8}) {
    NetworkErrors several(problem, threads);
    Vector gradient(parameters.size());
    for (int again = 0; again < 2; ++again) {
      EXPECT_EQ(several.loss(parameters, gradient), value);
      EXPECT_EQ(gradient, first);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(NetworkErrors, Blocks, ::testing::Values(1, 255, 256, 257, 4096, 4097, 5001));

}  // namespace
}  // namespace relufit
