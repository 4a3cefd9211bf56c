// One hidden layer: linearization, fit and merging against definitions and finite differences.
#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <limits>
#include <set>
#include <string>

#include "exact_fit/douglas_rachford.h"
#include "exact_fit/one_layer/unit_fit.h"
#include "exact_fit/one_layer/unit_merge.h"
#include "support/search_problems.h"

namespace relufit {
namespace {

using testing_search::forward_residual;
using testing_search::teacher_problem;

double squared_residual(const UnitProblem& problem, const UnitModel& model, Matrix& residual) {
  Matrix features;
  problem.features(model, features);
  return problem.residual(model, features, residual);
}

// ---- the linearization

struct Case {
  const char* name;
  UnitProblem problem;
  UnitModel model;
};

std::vector<Case> cases() {
  Random random(1);
  const Matrix inputs = random.normal(3, 40);
  const Matrix targets = random.normal(2, 40);
  const Matrix positive = random.normal(2, 40).cwiseMax(0.0);
  std::vector<Case> list = {{"linear", {inputs, targets, OutputActivation::linear}, {}},
                            {"linear, skip", {inputs, targets, OutputActivation::linear}, {}},
                            {"relu", {inputs, positive, OutputActivation::relu}, {}},
                            {"no bias", {inputs, targets, OutputActivation::linear, false}, {}},
                            {"fixed", {inputs, targets, OutputActivation::linear, true, OutputWeights::fixed}, {}}};
  for (Case& entry : list) {
    entry.model = entry.problem.random_model(4, std::string(entry.name) == "linear, skip", random);
    if (!entry.problem.has_fixed_output()) entry.model.output *= 10;
  }
  list.back().model.output = random.normal(2, 4);
  return list;
}

/// Unknowns as the step orders them: T unit by unit, then C output by output.
Vector pack(const UnitModel& model, bool with_output) {
  Vector values(model.hidden.size() + (with_output ? model.output.size() : 0));
  values.head(model.hidden.size()) = model.hidden.transpose().reshaped();
  if (with_output) values.tail(model.output.size()) = model.output.transpose().reshaped();
  return values;
}

UnitModel unpack(const Vector& values, UnitModel model) {
  const Index units = model.hidden.rows();
  model.hidden = values.head(model.hidden.size()).reshaped(model.hidden.cols(), units).transpose();
  if (values.size() > model.hidden.size()) {
    const Index outputs = model.output.rows();
    model.output = values.tail(model.output.size()).reshaped(model.output.cols(), outputs).transpose().eval();
  }
  return model;
}

/// Residual entries x unknowns, by central differences.
Matrix difference_jacobian(const Case& entry) {
  constexpr double h = 1e-6;
  const bool with_output = !entry.problem.has_fixed_output();
  const Vector at = pack(entry.model, with_output);
  Matrix jacobian(entry.problem.targets().size(), at.size());
  Matrix above;
  Matrix below;
  for (Index j = 0; j < at.size(); ++j) {
    Vector moved = at;
    moved(j) = at(j) + h;
    squared_residual(entry.problem, unpack(moved, entry.model), above);
    moved(j) = at(j) - h;
    squared_residual(entry.problem, unpack(moved, entry.model), below);
    jacobian.col(j) = ((above - below) / (2 * h)).reshaped();
  }
  return jacobian;
}

TEST(UnitStep, GradientAndReducedMatrixAreThoseOfFiniteDifferences) {
  for (const Case& entry : cases()) {
    SCOPED_TRACE(entry.name);
    Matrix features;
    Matrix residual;
    entry.problem.features(entry.model, features);
    entry.problem.residual(entry.model, features, residual);
    UnitStep step(entry.problem);
    ASSERT_TRUE(step.linearize(entry.model, features, residual));

    const Matrix jacobian = difference_jacobian(entry);
    const Vector gradient = jacobian.transpose() * residual.reshaped();
    const Index hidden = entry.model.hidden.size();
    EXPECT_LT((step.gradient() - gradient.head(hidden)).norm(), 1e-7 * gradient.norm());
    const Matrix full = jacobian.transpose() * jacobian;
    Matrix reduced = full.topLeftCorner(hidden, hidden);
    if (const Index rest = full.rows() - hidden; rest > 0) {
      EXPECT_LT((step.output_gradient().reshaped() - gradient.tail(rest)).norm(), 1e-7 * gradient.norm());
      const Matrix corner = full.bottomRightCorner(rest, rest);
      reduced -= full.topRightCorner(hidden, rest) * corner.ldlt().solve(full.bottomLeftCorner(rest, hidden));
    }
    const Matrix found = step.normal_matrix().selfadjointView<Eigen::Lower>();
    EXPECT_LT((found - reduced).norm(), 1e-6 * full.norm());
  }
}

TEST(UnitStep, SolvesTheDampedNormalEquationsOfAllUnknowns) {
  constexpr double kDamping = 0.1;
  for (const Case& entry : cases()) {
    SCOPED_TRACE(entry.name);
    Matrix features;
    Matrix residual;
    entry.problem.features(entry.model, features);
    entry.problem.residual(entry.model, features, residual);
    UnitStep step(entry.problem);
    ASSERT_TRUE(step.linearize(entry.model, features, residual));
    UnitModel trial = entry.model;
    ASSERT_TRUE(step.solve(entry.model, kDamping, trial));

    const bool with_output = !entry.problem.has_fixed_output();
    const Matrix jacobian = difference_jacobian(entry);
    const Vector gradient = jacobian.transpose() * residual.reshaped();
    Matrix full = jacobian.transpose() * jacobian;
    const Index hidden = entry.model.hidden.size();
    full.diagonal().head(hidden).array() += kDamping * full.diagonal().head(hidden).mean();
    const Vector expected = full.ldlt().solve(gradient);
    const Vector found = pack(entry.model, with_output) - pack(trial, with_output);
    EXPECT_LT((found - expected).norm(), 1e-5 * expected.norm());
    EXPECT_NEAR(step.predicted_decrease(), gradient.dot(expected), 1e-5 * gradient.dot(expected));
  }
}

// ---- residual, fit and merging

TEST(UnitProblem, ResidualOfAReluOutputIsOneSidedWhereItMustVanish) {
  const Matrix inputs = Matrix::Ones(1, 3);
  Matrix targets(1, 3);
  targets << 0, 0, 2;
  const UnitProblem problem(inputs, targets, OutputActivation::relu);
  UnitModel model;
  model.hidden = Matrix::Zero(1, 2);
  model.output = Matrix::Zero(1, 2);
  Matrix residual;
  model.output(0, 1) = -1;  // Z = -1 everywhere
  EXPECT_EQ(squared_residual(problem, model, residual), 9);
  EXPECT_EQ(residual, (Matrix(1, 3) << 0, 0, -3).finished());
  model.output(0, 1) = 1;
  EXPECT_EQ(squared_residual(problem, model, residual), 3);
}

TEST(UnitFit, ResidualNeverRises) {
  for (const Case& entry : cases()) {
    SCOPED_TRACE(entry.name);
    UnitFit fit(entry.problem);
    double last = fit.residual(entry.model);
    for (Index iterations = 0; iterations < 20; ++iterations) {
      UnitFitOptions options;
      options.max_iterations = iterations;
      options.race_floor = 1e300;
      UnitModel model = entry.model;
      const double value = fit.run(model, options);
      EXPECT_LE(value, last);
      EXPECT_NEAR(value, fit.residual(model), 1e-12);
      last = value;
    }
    EXPECT_LT(last, fit.residual(entry.model));
  }
}

TEST(UnitFit, FixedOutputWeightsStay) {
  const Case entry = cases().back();
  UnitFit fit(entry.problem);
  UnitModel model = entry.model;
  fit.run(model, {});
  EXPECT_EQ(model.output, entry.model.output);
}

TEST(UnitModel, NormalizingUnitsKeepsOutputs) {
  for (Case& entry : cases()) {
    entry.model.hidden.row(0) *= 1000;
    entry.model.hidden.row(1).setZero();
    Matrix features;
    entry.problem.features(entry.model, features);
    const Matrix before = entry.model.output * features;
    normalize_units(entry.model, &features);
    EXPECT_LT((entry.model.output * features - before).norm(), 1e-12 * before.norm());
    Matrix again;
    entry.problem.features(entry.model, again);
    EXPECT_LT((again - features).norm(), 1e-12 * features.norm());
    EXPECT_NEAR(entry.model.hidden.row(0).norm(), 1, 1e-15);
  }
}

/// A model that fits its problem exactly.
struct Exact {
  explicit Exact(unsigned long long seed)
      : data(teacher_problem({5, 5, 2}, OutputActivation::linear, 80, seed)),
        problem(data.inputs, data.targets, data.network.output) {
    const Teacher teacher = make_teacher(data.network.widths, data.network.output, 80, seed);
    const std::vector<Layer>& layers = teacher.network.layers();
    model.hidden.resize(5, 6);
    model.hidden << layers[0].weights, layers[0].bias;
    model.output.resize(2, 6);
    model.output << layers[1].weights, layers[1].bias;
  }
  LiftedProblem data;
  UnitProblem problem;
  UnitModel model;
};

/// The same function with a skip that pays for the units turned around.
UnitModel turned(const UnitModel& model, const std::set<Index>& units) {
  const Index inputs = model.hidden.cols() - 1;
  UnitModel result;
  result.skip = true;
  result.hidden = model.hidden;
  result.output.setZero(model.output.rows(), model.output.cols() + inputs);
  result.output.leftCols(model.output.cols()) = model.output;
  for (const Index i : units) {
    result.hidden.row(i) *= -1;
    result.output.rightCols(inputs) += model.output.col(i) * model.hidden.row(i).head(inputs);
    result.output.col(model.units()) += model.output.col(i) * model.hidden(i, inputs);
  }
  return result;
}

TEST(UnitMerge, OrientationIsRecovered) {
  const std::vector<std::set<Index>> sets = {{}, {0}, {1, 3}, {0, 1, 2, 3, 4}};
  for (const std::set<Index>& set : sets) {
    const Exact exact(3);
    UnitFit fit(exact.problem);
    const UnitModel wide = turned(exact.model, set);
    ASSERT_LT(fit.residual(wide), 1e-13);
    UnitModel plain = without_skip(wide, 5);
    EXPECT_FALSE(plain.skip);
    EXPECT_EQ(plain.hidden, exact.model.hidden);
    EXPECT_LT(fit.solve_output(plain), 1e-11);
  }
}

/// Adds a unit, at the front where `first`.
UnitModel with_unit(const UnitModel& model, const Eigen::RowVectorXd& hidden, const Vector& output) {
  UnitModel result = model;
  result.hidden.resize(model.units() + 1, model.hidden.cols());
  result.hidden << hidden, model.hidden;
  result.output.resize(model.output.rows(), model.output.cols() + 1);
  result.output << output, model.output;
  return result;
}

TEST(UnitMerge, SplitAndIdleUnitsAreMerged) {
  const Exact exact(4);
  UnitFit fit(exact.problem);
  UnitModel wide = turned(exact.model, {2});
  // Unit 0 (index 2 below) takes over 0.3 of unit 1's work, with another norm; another unit is idle.
  const Eigen::RowVectorXd half = 2 * wide.hidden.row(1);
  const Vector work = 0.15 * wide.output.col(1);
  wide.output.col(1) *= 0.7;
  wide = with_unit(with_unit(wide, half, work), Eigen::RowVectorXd::Constant(6, 0.4), Vector::Zero(2));
  ASSERT_LT(fit.residual(wide), 1e-13);

  UnitModel merged = wide;
  normalize_units(merged);
  remove_equal_units(merged, 5, 1e-3);
  EXPECT_EQ(merged.units(), 6);
  Index idle = 0;
  unit_importance(exact.problem, merged).minCoeff(&idle);
  EXPECT_EQ(idle, 0);

  UnitModel plain;
  EXPECT_LT(merge_units(fit, wide, UnitMergeOptions(5), plain), 1e-11);
  EXPECT_EQ(plain.units(), 5);
  EXPECT_LT(forward_residual(exact.data, exact.problem.layers(plain)), 1e-11);
}

TEST(UnitMerge, SaysWhereTheAskedWidthDoesNotFit) {
  const Exact exact(4);
  UnitFit fit(exact.problem);
  UnitModel plain;
  EXPECT_EQ(merge_units(fit, turned(exact.model, {}), UnitMergeOptions(3), plain),
            std::numeric_limits<double>::infinity());
}

TEST(RowBasis, FindsTheUnitsOfDependentInputs) {
  Random random(5);
  Matrix inputs = random.normal(4, 30);
  inputs.row(2) = inputs.row(0) - 2 * inputs.row(1);
  const RowBasis basis(inputs);
  EXPECT_EQ(basis.basis().cols(), 3);
  const Matrix arguments = random.normal(6, 4) * inputs;
  const Matrix units = basis.units(arguments.cast<float>() * basis.basis());
  EXPECT_LT((units * inputs - arguments).norm(), 1e-5 * arguments.norm());
}

}  // namespace
}  // namespace relufit
