// Maxout units: values, lift, the copies of a unit, derivatives, convex subproblems, constraints and training.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "problem/network_errors.h"
#include "relufit/fit.h"
#include "relufit/sequence.h"
#include "relufit/train.h"
#include "subproblem/copies/unit_copies.h"
#include "support/random.h"
#include "support/teacher_data.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;
using testing_random::random_layers;
using testing_random::random_parameters;
using testing_random::uniform;
using testing_teacher::dataset;

std::vector<Layer> layers_of(Generator& random, const std::vector<Index>& widths, bool skip_connections = false,
                             double size = 1) {
  return random_layers(random, widths, size, 0.5 * size, skip_connections, Activation::maxout);
}

LiftedProblem problem_of(Generator& random, const std::vector<Index>& widths, Index samples, Loss loss = Loss::exact,
                         double ridge = 0) {
  LiftedProblem problem;
  problem.network.widths = widths;
  problem.network.activation = Activation::maxout;
  problem.inputs = normal_matrix(random, widths.front(), samples);
  problem.targets = normal_matrix(random, widths.back(), samples);
  problem.loss = loss;
  problem.ridge = ridge;
  return problem;
}

TEST(Maxout, OutputsAreTheirDefinition) {
  Generator random(1);
  const std::vector<Layer> layers = layers_of(random, {3, 4, 2, 1});
  EXPECT_EQ(layers[0].weights.rows(), 8);
  const Network network(layers, OutputActivation::linear, Activation::maxout);
  EXPECT_EQ(network.widths(), (std::vector<Index>{3, 4, 2, 1}));
  const Vector u = normal_matrix(random, 3, 1);
  Vector v = u;
  for (std::size_t l = 0; l < 2; ++l) {
    const Vector z = layers[l].weights * v + layers[l].bias;
    v = z.head(z.size() / 2).cwiseMax(z.tail(z.size() / 2));
  }
  EXPECT_LE((network.forward(u) - (layers[2].weights * v + layers[2].bias)).norm(), 1e-14);
  EXPECT_THROW(Network({{Matrix::Ones(3, 2), Vector::Ones(3)}, {Matrix::Ones(1, 1), Vector::Ones(1)}},
                       OutputActivation::linear, Activation::maxout),
               std::invalid_argument);
}

TEST(Maxout, NotANumberStays) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Matrix arguments(2, 3), value(1, 3);
  arguments << nan, 1, 2,  //
      0, nan, 3;
  evaluate(Activation::maxout, arguments, value);
  EXPECT_TRUE(std::isnan(value(0)) && std::isnan(value(1)));
  EXPECT_EQ(value(2), 3);
}

TEST(Maxout, LiftedNetworkSatisfiesEverything) {
  Generator random(2);
  for (const bool skip : {false, true}) {
    LiftedProblem problem = problem_of(random, {3, 4, 3, 2}, 40);
    problem.network.skip_connections = skip;
    const std::vector<Layer> layers = layers_of(random, problem.network.widths, skip);
    problem.targets = network_of(problem, layers).forward(problem.inputs);
    const LiftedPoint point = lift_network(problem, layers);
    EXPECT_LE((point.output - problem.targets).norm(), 1e-12);
    EXPECT_GE(std::min(point.active[1].minCoeff(), point.slack[1].minCoeff()), 0);
    const Matrix z = (layers[0].weights * problem.inputs).colwise() + layers[0].bias;
    EXPECT_LE((point.arguments(0) - z).norm(), 1e-13);
    EXPECT_LE((point.values(0) - z.topRows(4).cwiseMax(z.bottomRows(4))).norm(), 1e-13);
    const Violations violation = violations(problem, point);
    EXPECT_LE(std::max({violation.affine, violation.sign, violation.output, violation.product}), 1e-12);
    EXPECT_EQ(violation.pair, 0);
  }
}

TEST(Maxout, DerivativesAreThoseOfFiniteDifferences) {
  Generator random(3);
  for (const bool skip : {false, true}) {
    LiftedProblem problem = problem_of(random, {2, 4, 3, 2}, 15, Loss::squared, 0.2);
    problem.network.skip_connections = skip;
    NetworkErrors errors(problem);
    const Vector parameters = errors.pack(layers_of(random, problem.network.widths, skip));
    Matrix jacobian;
    errors.jacobian(parameters, jacobian);
    Vector gradient(parameters.size()), values, low, high;
    const double loss = errors.loss(parameters, gradient);
    errors.values(parameters, values);
    EXPECT_NEAR(loss, network_loss(problem, errors.unpack(parameters)), 1e-12 * loss);
    EXPECT_TRUE(gradient.isApprox(jacobian.transpose() * values, 1e-12));
    constexpr double kStep = 1e-6;
    for (Index i = 0; i < parameters.size(); ++i) {
      errors.values(parameters - kStep * Vector::Unit(parameters.size(), i), low);
      errors.values(parameters + kStep * Vector::Unit(parameters.size(), i), high);
      EXPECT_LE(((high - low) / (2 * kStep) - jacobian.col(i)).cwiseAbs().maxCoeff(), 1e-7) << "parameter " << i;
    }
  }
}

/// Penalties over rho of the copies u~ = (h~, s~), p~, b~ of one unit, by their definition.
double copies_penalty(const Vector& u, double p, const Vector& u_copy, double p_copy, double b_copy) {
  const Vector v = Vector::Constant(2, std::sqrt(0.5));
  const Matrix metric = 2 * Matrix::Identity(2, 2) - v * v.transpose();
  const double b = std::sqrt(0.5) * (p + u.sum());
  return 0.5 * (u - u_copy).dot(metric * (u - u_copy)) + 0.5 * std::pow(p - p_copy, 2) + std::pow(b - b_copy, 2);
}

TEST(Maxout, CopiesOfAUnitMergeIntoASeparatePair) {
  Generator random(4);
  const UnitCopies units(Activation::maxout);
  for (int trial = 0; trial < 20; ++trial) {
    const Matrix h = normal_matrix(random, 1, 1), s = normal_matrix(random, 1, 1), linear = normal_matrix(random, 1, 1),
                 value = normal_matrix(random, 1, 1);
    Matrix merged_h(1, 1), merged_s(1, 1), p(1, 1);
    units.merge(h, s, linear, value, merged_h, merged_s);
    const Vector copy = (Vector(2) << h(0), s(0)).finished(),
                 center = (Vector(2) << merged_h(0), merged_s(0)).finished();
    double constant = 0;
    for (int i = 0; i < 5; ++i) {
      const Vector u = normal_matrix(random, 2, 1, 3);
      units.merge_linear(Matrix(u.head(1)), Matrix(u.tail(1)), linear, value, p);
      const double best = copies_penalty(u, p(0), copy, linear(0), value(0));
      EXPECT_GT(copies_penalty(u, p(0) + 0.1, copy, linear(0), value(0)), best);
      EXPECT_GT(copies_penalty(u, p(0) - 0.1, copy, linear(0), value(0)), best);
      const double rest = best - (u - center).squaredNorm();
      if (i == 0) constant = rest;
      EXPECT_NEAR(rest, constant, 1e-11 * (1 + best));
    }
  }
}

TEST(Maxout, PairsFollowTheArgumentsAtLeastPenalty) {
  Generator random(5);
  const UnitCopies units(Activation::maxout);
  const Matrix h = normal_matrix(random, 1, 1), s = normal_matrix(random, 1, 1), linear = normal_matrix(random, 1, 1);
  const Vector copy = (Vector(2) << h(0), s(0)).finished();
  Matrix target = Matrix::Zero(2, 1);
  units.add_arguments(h, s, linear, 1, target);
  const auto penalty = [&](const Vector& u, double p) {
    return copies_penalty(u, p, copy, linear(0), std::sqrt(0.5) * (p + u.sum()));  // without the value's copy
  };
  double constant = 0;
  for (int i = 0; i < 10; ++i) {
    const Matrix z = normal_matrix(random, 2, 1, 2);
    Matrix new_h(1, 1), new_s(1, 1), p(1, 1);
    units.follow(h, s, z, new_h, new_s, p);
    EXPECT_NEAR(std::sqrt(0.5) * (p(0) + new_h(0) - new_s(0)), z(0), 1e-13);
    EXPECT_NEAR(std::sqrt(0.5) * (p(0) - new_h(0) + new_s(0)), z(1), 1e-13);
    const Vector u = (Vector(2) << new_h(0), new_s(0)).finished();
    const double best = penalty(u, p(0));
    for (const double shift : {0.1, -0.1}) EXPECT_GT(penalty(u.array() + shift, p(0)), best);
    const double rest = best - 0.5 * units.argument_penalty() * (z - target).squaredNorm();
    if (i == 0) constant = rest;
    EXPECT_NEAR(rest, constant, 1e-12 * (1 + best));
  }
}

TEST(Maxout, SubproblemAtTheTruthIsSolvedByIt) {
  Generator random(6);
  for (const std::vector<Index>& widths : {std::vector<Index>{3, 3, 2}, std::vector<Index>{3, 3, 3, 2}}) {
    LiftedProblem problem = problem_of(random, widths, 30);
    const LiftedPoint truth = lift_network(problem, layers_of(random, widths, false, 0.7));
    problem.targets = truth.output;
    SubproblemSolver solver(problem, {});
    solver.set_parameters(parameters_at(truth));
    SubproblemOptions options;
    options.tolerance = 1e-10;
    EXPECT_EQ(solver.solve(options).status, SubproblemStatus::converged);
    EXPECT_NEAR(relaxation_objective(problem, parameters_at(truth), {}, solver.point()), 0, 1e-6);
    const Violations violation = violations(problem, solver.point());
    EXPECT_LE(std::max({violation.affine, violation.pair, violation.product}), 1e-5);
  }
}

TEST(Maxout, TrainsToExactFitsOfItsTeachers) {
  Generator random(8);
  const Network teacher(layers_of(random, {2, 2, 1}), OutputActivation::linear, Activation::maxout);
  const Dataset data = dataset(random, teacher, 60);
  TrainOptions options{.hidden = {2}, .activation = Activation::maxout, .loss = Loss::exact};
  options.starts = 40;
  for (const Method method : {Method::search, Method::relaxation}) {
    options.method = method;
    if (method == Method::relaxation) options.iterations = 20;
    options.polish = method == Method::relaxation ? std::optional(true) : std::nullopt;
    const TrainResult result = train(data, options);
    EXPECT_EQ(result.model.network.activation(), Activation::maxout);
    EXPECT_EQ(result.status, SequenceStatus::converged) << to_string(method);
    EXPECT_LE(result.evaluation.all.relative_residual, 1e-9) << to_string(method);
  }
}

TEST(Maxout, ConstraintsHoldEverywhere) {
  Generator random(9);
  const Network teacher(random_layers(random, {3, 5, 1}, 1.0, 0.5), OutputActivation::linear);
  const Dataset data = dataset(random, teacher, 150, 0.1);
  TrainOptions options{.hidden = {3, 2}, .activation = Activation::maxout};
  options.iterations = 60;
  options.constraints.monotone = {{"x0", "y0", true}, {"x1", "y0", false}};
  TrainResult result = train(data, options);
  for (const ConstraintCheck& check : result.constraints) EXPECT_TRUE(holds(check)) << check.name;
  const Matrix u = normal_matrix(random, 3, 20000, 3), v = normal_matrix(random, 3, 20000, 3);
  for (const Index input : {0, 1}) {
    Matrix moved = u;
    moved.row(input).array() += input == 0 ? 0.1 : -0.1;
    EXPECT_GE((result.model.predict(moved) - result.model.predict(u)).minCoeff(), -1e-12);
  }

  options.constraints = {};
  options.constraints.lipschitz = 0.7;
  result = train(data, options);
  for (const ConstraintCheck& check : result.constraints) EXPECT_TRUE(holds(check)) << check.name;
  const Eigen::RowVectorXd rise = (result.model.predict(u) - result.model.predict(v)).cwiseAbs();
  EXPECT_LE(rise.cwiseQuotient((u - v).colwise().norm()).maxCoeff(), 0.7);

  options.constraints = {};
  options.constraints.convex = true;
  options.constraints.hidden = {{std::nullopt, 1.0}};
  result = train(data, options);
  for (const ConstraintCheck& check : result.constraints) EXPECT_TRUE(holds(check)) << check.name;
  const Matrix chord = 0.5 * (result.model.predict(u) + result.model.predict(v));
  EXPECT_GE((chord - result.model.predict(0.5 * (u + v))).minCoeff(), -1e-10);
}

TEST(Maxout, GroupLassoRemovesWholeUnits) {
  Generator random(10);
  const Network teacher(layers_of(random, {3, 1, 1}), OutputActivation::linear, Activation::maxout);
  const Dataset data = dataset(random, teacher, 200, 0.05);
  TrainOptions options{.hidden = {6}, .activation = Activation::maxout};
  options.group_lasso = 0.05;
  const TrainResult result = train(data, options);
  EXPECT_GT(result.removed_units, 0);
  EXPECT_EQ(result.model.network.widths()[1], 6 - result.removed_units);
  EXPECT_EQ(result.model.network.layers()[0].weights.rows(), 2 * (6 - result.removed_units));
  EXPECT_GT(result.evaluation.all.r2, 0.8);
}

TEST(Maxout, ThreadsDoNotChangeTheResult) {
  Generator random(11);
  const Network teacher(random_layers(random, {3, 5, 1}, 1.0, 0.5), OutputActivation::linear);
  const Dataset data = dataset(random, teacher, 3000, 0.1);
  TrainOptions options{.hidden = {3, 2}, .activation = Activation::maxout};
  options.iterations = 20;
  const TrainResult one = train(data, options);
  options.threads = 4;
  EXPECT_EQ(one.model.network.layers()[1].weights, train(data, options).model.network.layers()[1].weights);
}

}  // namespace
}  // namespace relufit
