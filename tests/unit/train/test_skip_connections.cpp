// Networks whose later layers see the inputs again: their function, lift, convex subproblem, constraints and training.
// The affine step and derivatives with skip connections are in test_affine_step.cpp and test_polish.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "relufit/fit.h"
#include "relufit/sequence.h"
#include "relufit/train.h"
#include "support/random.h"
#include "support/subproblem_setting.h"
#include "support/teacher_data.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_layers;
using testing_random::random_parameters;
using testing_random::teacher_problem;
using testing_random::uniform_matrix;
using testing_teacher::dataset;

const std::vector<Index> kWidths = {3, 4, 5, 2};

Network random_network(Generator& random, OutputActivation output = OutputActivation::linear) {
  return Network(random_layers(random, kWidths, 1.0, 0.5, true), output, Activation::relu, true);
}

TEST(SkipConnections, OutputsAreTheirDefinition) {
  Generator random(1);
  for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
    const Network network = random_network(random, output);
    EXPECT_EQ(network.widths(), kWidths);
    const Vector u = normal_matrix(random, 3, 1);
    const std::vector<Layer>& layers = network.layers();
    const Vector h1 = (layers[0].weights * u + layers[0].bias).cwiseMax(0.0);
    const Vector h2 =
        (layers[1].weights.leftCols(4) * h1 + layers[1].weights.rightCols(3) * u + layers[1].bias).cwiseMax(0.0);
    Vector z = layers[2].weights.leftCols(5) * h2 + layers[2].weights.rightCols(3) * u + layers[2].bias;
    if (output == OutputActivation::relu) z = z.cwiseMax(0.0).eval();
    EXPECT_LE((network.forward(u) - z).norm(), 1e-14 * (1 + z.norm()));
  }
}

TEST(SkipConnections, ShapesAreChecked) {
  Generator random(2);
  const std::vector<Layer> layers = random_layers(random, kWidths, 1.0, 1.0, true);
  EXPECT_THROW(Network(layers, OutputActivation::linear), std::invalid_argument);
  EXPECT_THROW(Network(random_layers(random, kWidths), OutputActivation::linear, Activation::relu, true),
               std::invalid_argument);
  EXPECT_EQ(Network(Architecture{kWidths, {}, Activation::relu, true}).layers()[2].weights.cols(), 8);
}

TEST(SkipConnections, FoldedModelIsTheSameFunction) {
  Generator random(3);
  Model model;
  model.network = random_network(random);
  model.input_scaling = {normal_matrix(random, 3, 1), uniform_matrix(random, 3, 1, 0.1, 10)};
  model.target_scaling = {normal_matrix(random, 2, 1), uniform_matrix(random, 2, 1, 0.1, 10)};
  const Matrix inputs = normal_matrix(random, 3, 50, 5);
  const Matrix expected = model.predict(inputs);
  EXPECT_LE((model.folded().forward(inputs) - expected).norm(), 1e-13 * expected.norm());
}

TEST(SkipConnections, LiftedNetworkSatisfiesEverything) {
  Generator random(4);
  const auto [problem, layers] = teacher_problem(random, kWidths, 12, OutputActivation::linear, Loss::exact, 0, true);
  const LiftedPoint point = lift_network(problem, layers);
  EXPECT_LE((point.output - network_of(problem, layers).forward(problem.inputs)).norm(), 1e-13);
  const Violations violation = violations(problem, point);
  EXPECT_EQ(violation.affine, 0);
  EXPECT_EQ(violation.pair, 0);
  EXPECT_LE(violation.product, 1e-13);
  LiftedPoint moved = point;  // the inputs' weights are part of the product equality
  moved.layers[1].weights(2, 5) += 0.5;
  EXPECT_NEAR(violations(problem, moved).product, 0.5 * problem.inputs.row(1).cwiseAbs().maxCoeff(), 1e-13);
}

TEST(SkipConnections, NoFeasiblePointOfTheSubproblemIsBetter) {
  Generator random(5);
  for (const std::vector<Index>& widths : {std::vector<Index>{3, 3, 2}, std::vector<Index>{2, 3, 2, 1}}) {
    for (const Loss loss : {Loss::exact, Loss::squared}) {
      testing_subproblem::Setting setting;
      setting.problem =
          teacher_problem(random, widths, 12, OutputActivation::linear, loss, loss == Loss::exact ? 0.0 : 0.1, true)
              .problem;
      setting.parameters = random_parameters(random, setting.problem);
      setting.weights = {1.3, 4.0};
      SubproblemSolver solver(setting.problem, setting.weights);
      solver.set_parameters(setting.parameters);
      ASSERT_EQ(solver.solve(testing_subproblem::precise()).status, SubproblemStatus::converged);
      testing_subproblem::expect_optimal(random, setting, solver.point());
    }
  }
}

TEST(SkipConnections, SubproblemAtTheTruthIsSolvedByIt) {
  Generator random(6);
  const auto [problem, layers] =
      teacher_problem(random, {3, 3, 3, 2}, 30, OutputActivation::linear, Loss::exact, 0, true);
  const LiftedPoint truth = lift_network(problem, layers);
  SubproblemSolver solver(problem, {});
  solver.set_parameters(parameters_at(truth));
  SubproblemOptions options;
  options.tolerance = 1e-10;
  EXPECT_EQ(solver.solve(options).status, SubproblemStatus::converged);
  EXPECT_LE(relative_residual(problem, solver.network()), 1e-6);
}

TEST(SkipConnections, SearchFitsItsTeachersExactly) {
  Generator random(7);
  const Network teacher(random_layers(random, {3, 3, 2}, 1.0, 0.5, true), OutputActivation::linear, Activation::relu,
                        true);
  const Dataset data = dataset(random, teacher, 80);
  TrainOptions options{.hidden = {3}, .loss = Loss::exact};
  options.skip_connections = true;
  const TrainResult result = train(data, options);
  EXPECT_TRUE(result.model.network.skip_connections());
  EXPECT_EQ(result.status, SequenceStatus::converged);
  EXPECT_LE(result.evaluation.all.relative_residual, 1e-9);
}

TEST(SkipConnections, LinearFunctionsAreFitted) {
  Generator random(8);
  const Network linear({{normal_matrix(random, 1, 3), normal_matrix(random, 1, 1)}}, OutputActivation::linear);
  TrainOptions options{.hidden = {1}};
  options.skip_connections = true;
  options.ridge = 0;
  options.polish = true;
  EXPECT_LE(train(dataset(random, linear, 60), options).evaluation.all.relative_residual, 1e-6);
}

/// Differences F(u + t e) - F(u) of output 0 at random points, for one input.
Eigen::RowVectorXd differences(Generator& random, const Model& model, Index input, double step) {
  const Matrix u = normal_matrix(random, model.network.input_size(), 20000, 3);
  Matrix moved = u;
  moved.row(input).array() += step;
  return (model.predict(moved) - model.predict(u)).row(0);
}

TEST(SkipConnections, ConstraintsHoldEverywhere) {
  Generator random(9);
  const Network teacher(random_layers(random, {3, 5, 1}, 1.0, 0.5), OutputActivation::linear);
  const Dataset data = dataset(random, teacher, 150, 0.1);
  TrainOptions options{.hidden = {4, 3}};
  options.skip_connections = true;
  options.polish = true;
  options.iterations = 60;
  options.constraints.monotone = {{"x0", "y0", true}, {"x1", "y0", false}};
  TrainResult result = train(data, options);
  for (const ConstraintCheck& check : result.constraints) EXPECT_TRUE(holds(check)) << check.name;
  EXPECT_GE(differences(random, result.model, 0, 0.1).minCoeff(), -1e-12);
  EXPECT_LE(differences(random, result.model, 1, 0.1).maxCoeff(), 1e-12);

  options.constraints = {};
  options.constraints.lipschitz = 0.7;
  result = train(data, options);
  for (const ConstraintCheck& check : result.constraints) EXPECT_TRUE(holds(check)) << check.name;
  EXPECT_LE(lipschitz_bound(result.model), 0.7);
  EXPECT_GT(lipschitz_bound(result.model), 0.3) << "the bound is used";
  const Matrix u = normal_matrix(random, 3, 20000, 3), v = normal_matrix(random, 3, 20000, 3);
  const Eigen::RowVectorXd rise = (result.model.predict(u) - result.model.predict(v)).colwise().norm();
  EXPECT_LE(rise.cwiseQuotient((u - v).colwise().norm()).maxCoeff(), 0.7);

  options.constraints = {};
  options.constraints.convex = true;
  result = train(data, options);
  for (const ConstraintCheck& check : result.constraints) EXPECT_TRUE(holds(check)) << check.name;
  const Matrix middle = result.model.predict(0.5 * (u + v));
  const Matrix chord = 0.5 * (result.model.predict(u) + result.model.predict(v));
  EXPECT_GE((chord - middle).minCoeff(), -1e-10);
}

TEST(SkipConnections, BrokenMonotonyOfASkippedInputIsFound) {
  Generator random(10);
  Model model;
  std::vector<Layer> layers = random_layers(random, {2, 2, 1}, 1.0, 1.0, true);
  for (Layer& layer : layers) layer.weights = layer.weights.cwiseAbs().eval();
  layers[1].weights(0, 2) = -0.25;  // input 0 to the output
  model.network = Network(layers, OutputActivation::linear, Activation::relu, true);
  model.input_scaling = Scaling::identity(2);
  model.target_scaling = Scaling::identity(1);
  model.input_names = {"a", "b"};
  model.target_names = {"y"};
  Constraints constraints;
  constraints.monotone = {{"a", "y", true}};
  EXPECT_NEAR(check_constraints(constraints, model).front().slack, -0.25, 1e-15);
  constraints.monotone = {{"b", "y", true}};
  EXPECT_GE(check_constraints(constraints, model).front().slack, 0);
}

TEST(SkipConnections, RefusedWhereTheyDoNotApply) {
  Generator random(11);
  const Dataset data = dataset(random, Network(Architecture{{2, 2, 1}}), 10, 1);
  TrainOptions options{};
  options.skip_connections = true;
  EXPECT_THROW(train(data, options), std::invalid_argument);
  options = TrainOptions{.hidden = {2}};
  options.skip_connections = true;
  options.strategy = Strategy::reweighted;
  EXPECT_THROW(train(data, options), std::invalid_argument);
}

TEST(SkipConnections, ThreadsDoNotChangeTheResult) {
  Generator random(12);
  const Network teacher(random_layers(random, {3, 5, 1}, 1.0, 0.5), OutputActivation::linear);
  const Dataset data = dataset(random, teacher, 3000, 0.1);
  TrainOptions options{.hidden = {4}};
  options.skip_connections = true;
  options.iterations = 20;
  const TrainResult one = train(data, options);
  options.threads = 4;
  const TrainResult four = train(data, options);
  EXPECT_EQ(one.model.network.layers()[1].weights, four.model.network.layers()[1].weights);
}

}  // namespace
}  // namespace relufit
