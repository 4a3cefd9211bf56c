// The subproblem under every loss: a local copy of the outputs with the proximal map of the loss.
#include "support/subproblem_setting.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::uniform_matrix;
using testing_subproblem::expect_optimal;
using testing_subproblem::precise;
using testing_subproblem::random_setting;
using testing_subproblem::Setting;

Setting loss_setting(Generator& random, const std::vector<Index>& widths, Index samples, const Loss& loss,
                     bool weighted) {
  Setting setting = random_setting(random, widths, samples, OutputActivation::linear, loss, 0.1);
  LiftedProblem& problem = setting.problem;
  const Matrix noise = testing_random::random_targets(random, loss, widths.back(), samples);
  problem.targets = is_for_classes(loss) ? noise : Matrix(problem.targets + 0.5 * noise);
  if (weighted) {
    problem.sample_weights = uniform_matrix(random, samples, 1, 0, 2);
    problem.sample_weights(1) = 0;
  }
  return setting;
}

void expect_solved(Generator& random, const Setting& setting) {
  SCOPED_TRACE(to_string(setting.problem.loss));
  SubproblemSolver solver(setting.problem, setting.weights);
  solver.set_parameters(setting.parameters);
  ASSERT_EQ(solver.solve(precise()).status, SubproblemStatus::converged);
  expect_optimal(random, setting, solver.point());
}

TEST(SubproblemLoss, NoFeasiblePointIsBetter) {
  Generator random(1);
  for (const Loss& loss : {Loss::squared, Loss::absolute, Loss::huber(0.3), Loss::quantile(0.2), Loss::logistic,
                           Loss::hinge, Loss::cross_entropy}) {
    expect_solved(random, loss_setting(random, {3, 3, 2}, 12, loss, true));
    expect_solved(random, loss_setting(random, {2, 3, 2, 2}, 10, loss, false));
  }
}

TEST(SubproblemLoss, WeightedReluOutput) {
  Generator random(2);
  Setting setting = random_setting(random, {3, 3, 2}, 12, OutputActivation::relu, Loss::squared, 0.1);
  setting.problem.sample_weights = uniform_matrix(random, 12, 1, 0, 2);
  setting.problem.sample_weights(3) = 0;
  expect_solved(random, setting);
}

double optimum(const Setting& setting) {
  SubproblemSolver solver(setting.problem, setting.weights);
  solver.set_parameters(setting.parameters);
  EXPECT_EQ(solver.solve(precise()).status, SubproblemStatus::converged);
  return relaxation_objective(setting.problem, setting.parameters, setting.weights, solver.point());
}

// With weights Z is a copy, without it is part of the affine step.
TEST(SubproblemLoss, UnitWeightsAreNoWeights) {
  Generator random(3);
  for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
    Setting setting = random_setting(random, {3, 3, 2}, 20, output, Loss::squared, 0.1);
    const double expected = optimum(setting);
    setting.problem.sample_weights.setOnes(20);
    EXPECT_NEAR(optimum(setting), expected, 1e-9 * (1 + expected));
  }
}

// A sample of weight 0 may have any target.
TEST(SubproblemLoss, SamplesWithoutWeightDoNotPull) {
  Generator random(4);
  for (const Loss& loss : {Loss::squared, Loss::absolute, Loss::logistic}) {
    Setting setting = loss_setting(random, {3, 3, 2}, 12, loss, true);
    const double expected = optimum(setting);
    setting.problem.targets.col(1) = Vector::Ones(2) - setting.problem.targets.col(1);
    EXPECT_NEAR(optimum(setting), expected, 1e-9 * (1 + expected)) << to_string(loss);
  }
}

TEST(SubproblemLoss, ThreadsDoNotChangeABit) {
  Generator random(5);
  const Setting setting = loss_setting(random, {4, 5, 3}, 1000, Loss::cross_entropy, true);
  const auto output = [&](int threads) {
    SubproblemSolver solver(setting.problem, setting.weights, {}, threads);
    solver.set_parameters(setting.parameters);
    SubproblemOptions options;
    options.max_iterations = 60;
    solver.solve(options);
    return solver.point().output;
  };
  EXPECT_EQ(output(1), output(3));
}

}  // namespace
}  // namespace relufit
