// The lift: values of a network, residuals of the bilinear equalities, violations, checks of the problem.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "relufit/lift.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::random_point;
using testing_random::teacher_problem;

TEST(LiftNetwork, SatisfiesEverything) {
  Generator random(1);
  for (const std::vector<Index>& widths : {std::vector<Index>{3, 3, 2}, std::vector<Index>{2, 5, 4, 3, 1}}) {
    for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
      const auto [problem, layers] = teacher_problem(random, widths, 12, output);
      EXPECT_NO_THROW(check(problem));
      const Violations violation = violations(problem, lift_network(problem, layers));
      EXPECT_EQ(violation.affine, 0);
      EXPECT_LE(violation.sign, 0);
      EXPECT_EQ(violation.output, 0);
      EXPECT_EQ(violation.pair, 0);
      EXPECT_LE(violation.product, 1e-14);
    }
  }
}

TEST(LiftNetwork, ValuesAreThoseOfTheNetwork) {
  Generator random(2);
  const auto [problem, layers] = teacher_problem(random, {3, 4, 2, 2}, 9, OutputActivation::relu);
  const LiftedPoint point = lift_network(problem, layers);
  const Matrix z1 = (layers[0].weights * problem.inputs).colwise() + layers[0].bias;
  EXPECT_LE((point.active[0] - z1.cwiseMax(0.0)).norm(), 1e-14);
  EXPECT_LE((point.slack[0] - (-z1).cwiseMax(0.0)).norm(), 1e-14);
  const Network network(layers, OutputActivation::relu);
  EXPECT_LE((point.output.cwiseMax(0.0) - network.forward(problem.inputs)).norm(), 1e-14);
  EXPECT_LT(point.output.minCoeff(), 0) << "Z stands before the output's ReLU";
}

TEST(ZeroPoint, HasTheShapesOfTheProblem) {
  Generator random(3);
  const LiftedProblem problem = teacher_problem(random, {3, 4, 5, 2}, 7, OutputActivation::linear).problem;
  const LiftedPoint point = zero_point(problem);
  ASSERT_EQ(point.layers.size(), 3U);
  EXPECT_EQ(point.layers[1].weights, Matrix::Zero(5, 4));
  EXPECT_EQ(point.layers[2].bias, Vector::Zero(2));
  ASSERT_EQ(point.active.size(), 2U);
  EXPECT_EQ(point.active[1], Matrix::Zero(5, 7));
  EXPECT_EQ(point.slack[0], Matrix::Zero(4, 7));
  EXPECT_EQ(point.output, Matrix::Zero(2, 7));
}

TEST(BilinearEqualities, OfEveryLayer) {
  Generator random(4);
  const LiftedProblem problem = teacher_problem(random, {3, 4, 5, 2}, 7, OutputActivation::linear).problem;
  const auto list = bilinear_equalities(problem);
  ASSERT_EQ(list.size(), 4U);
  using Kind = BilinearEquality::Kind;
  const std::pair<Kind, Index> expected[] = {{Kind::pair, 1}, {Kind::pair, 2}, {Kind::product, 2}, {Kind::product, 3}};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(list[i].kind, expected[i].first);
    EXPECT_EQ(list[i].layer, expected[i].second);
  }
}

TEST(BilinearResidual, IsItsDefinition) {
  Generator random(5);
  const LiftedProblem problem = teacher_problem(random, {3, 4, 5, 2}, 7, OutputActivation::linear).problem;
  const LiftedPoint point = random_point(random, problem);
  using Kind = BilinearEquality::Kind;
  for (std::size_t l = 0; l < 2; ++l) {
    const Matrix residual = bilinear_residual(point, {Kind::pair, static_cast<Index>(l) + 1});
    EXPECT_EQ(residual, -(point.active[l].array() * point.slack[l].array()).matrix());
  }
  const Matrix hidden = point.active[1] - point.slack[1] - point.layers[1].bias * Matrix::Ones(1, 7) -
                        point.layers[1].weights * point.active[0];
  EXPECT_LE((bilinear_residual(point, {Kind::product, 2}) - hidden).norm(), 1e-13);
  const Matrix last =
      point.output - point.layers[2].bias * Matrix::Ones(1, 7) - point.layers[2].weights * point.active[1];
  EXPECT_LE((bilinear_residual(point, {Kind::product, 3}) - last).norm(), 1e-13);
}

// Each family is found, in the right measure, and alone.
class ViolationsOf : public ::testing::Test {
 protected:
  void start(OutputActivation output, Loss loss = Loss::exact) {
    Generator random(6);
    auto [problem, layers] = teacher_problem(random, {3, 4, 3, 2}, 40, output, loss);
    problem_ = problem;
    point_ = lift_network(problem_, layers);
  }
  void expect(double affine, double sign, double output, double pair, double product) const {
    const Violations violation = violations(problem_, point_);
    EXPECT_NEAR(violation.affine, affine, 1e-13);
    EXPECT_NEAR(violation.sign, sign, 1e-13);
    EXPECT_NEAR(violation.output, output, 1e-13);
    EXPECT_NEAR(violation.pair, pair, 1e-13);
    EXPECT_NEAR(violation.product, product, 1e-13);
  }
  LiftedProblem problem_;
  LiftedPoint point_;
};

TEST_F(ViolationsOf, Affine) {
  start(OutputActivation::linear);
  point_.layers[0].bias(2) += 0.25;
  expect(0.25, 0, 0, 0, 0);
}

TEST_F(ViolationsOf, Sign) {
  for (const bool active : {true, false}) {
    start(OutputActivation::linear);
    // Both parts move down together, which keeps their difference.
    Matrix& negative = active ? point_.active[0] : point_.slack[0];
    Matrix& other = active ? point_.slack[0] : point_.active[0];
    Index row = 0;
    Index col = 0;
    ASSERT_GT(other.maxCoeff(&row, &col), 0.125);
    negative(row, col) -= 0.125;
    other(row, col) -= 0.125;
    const double moved = 0.125 * point_.layers[1].weights.col(row).cwiseAbs().maxCoeff();
    expect(0, 0.125, 0, 0.125 * other(row, col), moved);
  }
}

TEST_F(ViolationsOf, Complementarity) {
  start(OutputActivation::linear);
  point_.active[0](1, 3) += 0.5;
  point_.slack[0](1, 3) += 0.5;
  const double product = point_.active[0](1, 3) * point_.slack[0](1, 3);
  const double moved = 0.5 * point_.layers[1].weights.col(1).cwiseAbs().maxCoeff();
  expect(0, 0, 0, product, moved);
}

TEST_F(ViolationsOf, Product) {
  start(OutputActivation::linear);
  point_.layers[2].bias(1) += 0.75;
  expect(0, 0, 0, 0, 0.75);
  point_.layers[1].bias(0) -= 2.5;
  expect(0, 0, 0, 0, 2.5);
}

TEST_F(ViolationsOf, LinearOutput) {
  start(OutputActivation::linear);
  problem_.targets(1, 4) += 0.375;
  expect(0, 0, 0.375, 0, 0);
  problem_.loss = Loss::squared;
  expect(0, 0, 0, 0, 0);
}

TEST_F(ViolationsOf, ReluOutput) {
  start(OutputActivation::relu);
  Index row = 0;
  Index col = 0;
  ASSERT_EQ(problem_.targets.minCoeff(&row, &col), 0);
  ASSERT_LT(point_.output(row, col), 0);
  expect(0, 0, 0, 0, 0);  // anything up to 0 gives the target 0
  const double change = 0.5 - point_.output(row, col);
  point_.output(row, col) = 0.5;
  expect(0, 0, 0.5, 0, change);
  point_.output(row, col) -= change;
  problem_.targets.maxCoeff(&row, &col);
  point_.output(row, col) -= 0.25;
  expect(0, 0, 0.25, 0, 0.25);
}

class CheckProblem : public ::testing::Test {
 protected:
  static std::string message(const std::function<void(LiftedProblem&)>& spoil) {
    LiftedProblem problem;
    problem.inputs = Matrix::Ones(2, 5);
    problem.targets = Matrix::Ones(3, 5);
    problem.network.widths = {2, 4, 3};
    problem.ridge = 0.5;
    check(problem);
    spoil(problem);
    try {
      check(problem);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  }
};

TEST_F(CheckProblem, Shapes) {
  EXPECT_EQ(message([](auto& p) { p.network.widths = {2}; }),
            "widths: 1 given, expected at least 2 (inputs, hidden layers, outputs)");
  EXPECT_EQ(message([](auto& p) { p.network.widths = {2, 3}; }), "loss: exact, which needs a hidden layer");
  EXPECT_EQ(message([](auto& p) { p.network.widths[1] = 0; }), "widths[1]: 0, expected at least 1");
  EXPECT_EQ(message([](auto& p) { p.network.widths[0] = 3; }), "inputs: 2 rows, expected 3");
  EXPECT_EQ(message([](auto& p) { p.network.widths[2] = 2; }), "targets: 3 rows, expected 2");
  EXPECT_EQ(message([](auto& p) { p.inputs.resize(2, 0); }), "inputs: no samples");
  EXPECT_EQ(message([](auto& p) { p.targets.resize(3, 4); }), "targets: 4 samples, expected 5 as in inputs");
}

TEST_F(CheckProblem, Values) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(message([&](auto& p) { p.inputs(1, 1) = nan; }), "inputs: not all values are finite");
  EXPECT_EQ(message([&](auto& p) { p.targets(0, 4) = infinity; }), "targets: not all values are finite");
  EXPECT_EQ(message([](auto& p) { p.ridge = -1; }), "ridge: -1, expected a number >= 0");
  EXPECT_EQ(message([&](auto& p) { p.ridge = nan; }), "ridge: nan, expected a number >= 0");
  // Documented as in range: an infinite ridge is not.
  EXPECT_EQ(message([&](auto& p) { p.ridge = infinity; }), "ridge: inf, expected a number >= 0");
}

TEST_F(CheckProblem, NegativeTargetsOfReluOutput) {
  const auto spoil = [](LiftedProblem& problem) {
    problem.targets(2, 2) = -0.5;
    problem.network.output = OutputActivation::relu;
  };
  EXPECT_EQ(message(spoil), "targets: -0.5 is negative, a ReLU output cannot reach it");
  EXPECT_EQ(message([&](LiftedProblem& problem) {
              spoil(problem);
              problem.loss = Loss::squared;
            }),
            "accepted");
}

TEST_F(CheckProblem, Losses) {
  EXPECT_EQ(message([](auto& p) { p.loss = Loss::huber(-1); }), "huber delta: -1, expected a number > 0");
  EXPECT_EQ(message([](auto& p) {
              p.loss = Loss::hinge;
              p.targets.setConstant(2);
            }),
            "targets: 2 in row 1, sample 1, expected 0 or 1 under the hinge loss");
  EXPECT_EQ(message([](auto& p) {
              p.loss = Loss::absolute;
              p.sample_weights.setOnes(4);
            }),
            "sample_weights: 4 values, expected 5, one per sample");
  EXPECT_EQ(message([](auto& p) {
              p.loss = Loss::absolute;
              p.network.output = OutputActivation::relu;
            }),
            "loss: absolute with a ReLU output, expected exact or squared");
}

}  // namespace
}  // namespace relufit
