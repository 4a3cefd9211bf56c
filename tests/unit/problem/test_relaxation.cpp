// The rank block, its norms and the relaxation's objective, from their definitions.
#include <gtest/gtest.h>

#include <Eigen/LU>
#include <Eigen/QR>
#include <Eigen/SVD>
#include <functional>
#include <limits>
#include <string>

#include "relufit/relaxation.h"
#include "relufit/subproblem.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal;
using testing_random::normal_matrix;
using testing_random::random_parameters;
using testing_random::random_point;
using testing_random::teacher_problem;

Index rank(const Matrix& matrix) {
  const Vector values = Eigen::JacobiSVD<Matrix>(matrix).singularValues();
  return (values.array() > 1e-10 * values(0)).count();
}

// rank M = rank P + rank(C - A P B), for every P.
void expect_rank_identity(Generator& random, const Matrix& p, Index m, Index n, Index error_rank) {
  const Matrix a = normal_matrix(random, m, p.rows());
  const Matrix b = normal_matrix(random, p.cols(), n);
  const Matrix x = normal_matrix(random, m, p.rows());
  const Matrix y = normal_matrix(random, p.cols(), n);
  const Matrix v1 = normal_matrix(random, m, m);
  const Matrix v2 = normal_matrix(random, n, n);
  const Matrix error = normal_matrix(random, m, error_rank) * normal_matrix(random, error_rank, n);
  const Matrix block = rank_block(a, b, a * p * b + error, p, x, y, v1, v2);
  ASSERT_EQ(block.rows(), m + p.rows());
  ASSERT_EQ(block.cols(), n + p.cols());
  EXPECT_EQ(rank(block), rank(p) + error_rank) << "P " << p.rows() << " x " << p.cols() << ", C " << m << " x " << n;
}

TEST(RankBlock, RankTellsWhetherTheEqualityHolds) {
  Generator random(1);
  for (int i = 0; i < 5; ++i) {
    for (const Index error_rank : {0, 1, 2}) {
      expect_rank_identity(random, normal_matrix(random, 3, 3), 2, 4, error_rank);
      expect_rank_identity(random, Matrix::Identity(4, 4), 3, 10, error_rank);
      expect_rank_identity(random, normal_matrix(random, 2, 5), 3, 4, error_rank);
      expect_rank_identity(random, normal_matrix(random, 5, 2), 3, 4, error_rank);
      expect_rank_identity(random, normal_matrix(random, 4, 1) * normal_matrix(random, 1, 4), 3, 3, error_rank);
    }
    expect_rank_identity(random, Matrix::Ones(1, 1), 1, 1, 1);
    expect_rank_identity(random, Matrix::Ones(1, 1), 1, 1, 0);
  }
}

TEST(RankBlock, IsAffine) {
  Generator random(2);
  const Matrix p = normal_matrix(random, 2, 3);
  const Matrix x = normal_matrix(random, 2, 2), y = normal_matrix(random, 3, 4);
  const Matrix v1 = normal_matrix(random, 2, 2), v2 = normal_matrix(random, 4, 4);
  const auto block = [&](const Matrix& a, const Matrix& b, const Matrix& c) {
    return rank_block(a, b, c, p, x, y, v1, v2);
  };
  const Matrix a0 = normal_matrix(random, 2, 2), a1 = normal_matrix(random, 2, 2);
  const Matrix b0 = normal_matrix(random, 3, 4), b1 = normal_matrix(random, 3, 4);
  const Matrix c0 = normal_matrix(random, 2, 4), c1 = normal_matrix(random, 2, 4);
  const Matrix middle = block((a0 + a1) / 2, (b0 + b1) / 2, (c0 + c1) / 2);
  EXPECT_LE((middle - (block(a0, b0, c0) + block(a1, b1, c1)) / 2).norm(), 1e-13 * middle.norm());
}

TEST(RankBlock, RefusesShapesThatDoNotFit) {
  const auto matrix = [](Index rows, Index cols) { return Matrix(Matrix::Zero(rows, cols)); };
  const auto message = [&](std::vector<Matrix> part, std::size_t wrong) {
    part[wrong] = matrix(7, 9);
    try {
      rank_block(part[0], part[1], part[2], part[3], part[4], part[5], part[6], part[7]);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const std::vector<Matrix> good = {matrix(2, 3), matrix(4, 5), matrix(2, 5), matrix(3, 4),
                                    matrix(2, 3), matrix(4, 5), matrix(2, 2), matrix(5, 5)};
  EXPECT_NO_THROW(rank_block(good[0], good[1], good[2], good[3], good[4], good[5], good[6], good[7]));
  EXPECT_EQ(message(good, 0), "A: 7 x 9, expected 2 x 3");
  EXPECT_EQ(message(good, 1), "B: 7 x 9, expected 4 x 5");
  EXPECT_EQ(message(good, 4), "X: 7 x 9, expected 2 x 3");
  EXPECT_EQ(message(good, 5), "Y: 7 x 9, expected 4 x 5");
  EXPECT_EQ(message(good, 6), "V1: 7 x 9, expected 2 x 2");
  EXPECT_EQ(message(good, 7), "V2: 7 x 9, expected 5 x 5");
}

TEST(NuclearNorm, OfMatricesWithKnownSingularValues) {
  Generator random(3);
  for (const auto& [rows, cols] : {std::pair<Index, Index>{3, 3}, {3, 200}, {200, 3}, {5, 1}, {1, 5}}) {
    const Index count = std::min(rows, cols);
    const Vector values = normal_matrix(random, count, 1).cwiseAbs();
    const Matrix left = Eigen::HouseholderQR<Matrix>(normal_matrix(random, rows, rows)).householderQ();
    const Matrix right = Eigen::HouseholderQR<Matrix>(normal_matrix(random, cols, cols)).householderQ();
    const Matrix matrix = left.leftCols(count) * values.asDiagonal() * right.leftCols(count).transpose();
    EXPECT_NEAR(nuclear_norm(matrix), values.sum(), 1e-13 * values.sum());
  }
  EXPECT_EQ(nuclear_norm(Matrix()), 0);
  EXPECT_EQ(nuclear_norm(Matrix::Zero(3, 4)), 0);
}

TEST(NuclearNorm, TwoByTwoFormula) {
  Generator random(4);
  for (int i = 0; i < 1000; ++i) {
    Eigen::Matrix2d block = normal_matrix(random, 2, 2);
    if (i % 3 == 0) block.row(1) = normal(random) * block.row(0);
    const double expected = block.jacobiSvd().singularValues().sum();
    EXPECT_NEAR(nuclear_norm(block(0, 0), block(0, 1), block(1, 0), block(1, 1)), expected, 1e-14 * (1 + expected));
  }
  EXPECT_EQ(nuclear_norm(0, 0, 0, 0), 0);
}

TEST(LossValue, EveryKind) {
  LiftedProblem problem;
  problem.inputs = Matrix::Zero(1, 4);
  problem.targets = (Matrix(1, 4) << 2, 0, 0, 1).finished();
  const Matrix output = (Matrix(1, 4) << 3, 4, -5, -6).finished();
  EXPECT_EQ(loss_value(problem, output), 0);
  problem.loss = Loss::squared;
  EXPECT_DOUBLE_EQ(loss_value(problem, output), 0.5 * (1 + 16 + 25 + 49));
  problem.network.output = OutputActivation::relu;
  EXPECT_DOUBLE_EQ(loss_value(problem, output), 0.5 * (1 + 16 + 49));
}

// Written out anew: literal blocks and singular values for every term.
double literal_objective(const LiftedProblem& problem, const RelaxationParameters& parameters,
                         const RelaxationWeights& weights, const LiftedPoint& point) {
  const auto norm = [](const Matrix& block) { return Eigen::JacobiSVD<Matrix>(block).singularValues().sum(); };
  double sum = 0.5 * (point.output - problem.targets).squaredNorm();
  for (const Layer& layer : point.layers) sum += 0.5 * problem.ridge * layer.weights.squaredNorm();
  for (std::size_t l = 0; l < point.active.size(); ++l) {
    const auto& pair = parameters.pair[l];
    const auto scalar = [](double value) { return Matrix(Matrix::Constant(1, 1, value)); };
    for (Index i = 0; i < pair.x.size(); ++i) {
      const Matrix w = scalar(pair.scale(i));
      sum += weights.pair * (norm(rank_block(scalar(point.active[l](i)), scalar(point.slack[l](i)), scalar(0),
                                             scalar(1), scalar(pair.x(i)), scalar(pair.y(i)), w, w)) -
                             1);
    }
    const auto& product = parameters.product[l];
    const Index inner = product.x.cols();
    const Matrix z = l + 1 < point.active.size() ? Matrix(point.active[l + 1] - point.slack[l + 1]) : point.output;
    const Matrix v1 = product.left_scale * Matrix::Identity(product.x.rows(), product.x.rows());
    const Matrix v2 = product.right_scale * Matrix::Identity(problem.samples(), problem.samples());
    sum += weights.product *
           (norm(rank_block(point.layers[l + 1].weights, point.active[l], z.colwise() - point.layers[l + 1].bias,
                            Matrix::Identity(inner, inner), product.x, product.y, v1, v2)) -
            static_cast<double>(inner));
  }
  return sum;
}

TEST(RelaxationObjective, IsItsDefinition) {
  Generator random(5);
  for (const std::vector<Index>& widths : {std::vector<Index>{3, 3, 2}, std::vector<Index>{2, 4, 3, 1}}) {
    const LiftedProblem problem =
        teacher_problem(random, widths, 7, OutputActivation::linear, Loss::squared, 0.3).problem;
    const RelaxationParameters parameters = random_parameters(random, problem);
    const LiftedPoint point = random_point(random, problem);
    const RelaxationWeights weights{1.3, 4.5};
    const double expected = literal_objective(problem, parameters, weights, point);
    EXPECT_NEAR(relaxation_objective(problem, parameters, weights, point), expected, 1e-12 * expected);
  }
}

TEST(ParametersAt, AreMinusThePoint) {
  Generator random(6);
  const LiftedProblem problem = teacher_problem(random, {3, 4, 3, 2}, 6, OutputActivation::linear).problem;
  const LiftedPoint point = random_point(random, problem);
  const RelaxationParameters parameters = parameters_at(point);
  EXPECT_NO_THROW(check(parameters, problem));
  for (std::size_t l = 0; l < 2; ++l) {
    EXPECT_EQ(parameters.pair[l].x, -point.active[l]);
    EXPECT_EQ(parameters.pair[l].y, -point.slack[l]);
    EXPECT_EQ(parameters.pair[l].scale, Matrix::Ones(1, 1));
    EXPECT_EQ(parameters.product[l].x, -point.layers[l + 1].weights);
    EXPECT_EQ(parameters.values(l), -point.active[l]);
    EXPECT_EQ(parameters.product[l].left(),
              Matrix::Identity(problem.network.widths[l + 2], problem.network.widths[l + 2]));
    EXPECT_EQ(parameters.product[l].right(6), Matrix::Identity(6, 6));
  }
}

TEST(ParametersAt, MoveInPlace) {
  Generator random(9);
  for (const Activation activation : {Activation::relu, Activation::hard_tanh, Activation::maxout}) {
    LiftedProblem problem;
    problem.inputs = normal_matrix(random, 3, 6);
    problem.targets = normal_matrix(random, 1, 6);
    problem.network.widths = {3, 4, 2, 1};
    problem.network.activation = activation;
    const LiftedPoint point = random_point(random, problem);
    const RelaxationParameters expected = parameters_at(point);
    RelaxationParameters moved = with_scales(parameters_at(zero_point(problem)), {0.5, 2, 3});
    move_parameters(point, moved);
    for (std::size_t l = 0; l < 2; ++l) {
      EXPECT_EQ(moved.pair[l].x, expected.pair[l].x);
      EXPECT_EQ(moved.pair[l].y, expected.pair[l].y);
      EXPECT_EQ(moved.product[l].x, expected.product[l].x);
      EXPECT_EQ(moved.values(l), expected.values(l));
      EXPECT_EQ(moved.pair[l].scale.minCoeff(), 0.5);
      EXPECT_EQ(moved.product[l].right_scale, 3);
    }
  }
}

// More samples than are taken at a time: the nuclear norm of the block as a whole.
TEST(RelaxationObjective, OfManySamplesIsThatOfTheWholeBlock) {
  Generator random(10);
  LiftedProblem problem;
  problem.inputs = normal_matrix(random, 2, 2100);
  problem.targets = normal_matrix(random, 1, 2100);
  problem.network.widths = {2, 3, 1};
  problem.loss = Loss::squared;
  const LiftedPoint point = random_point(random, problem);
  const RelaxationParameters parameters = parameters_at(random_point(random, problem));
  const BilinearTerms terms = bilinear_terms(point, {BilinearEquality::Kind::product, 2});
  const Matrix& x = parameters.product[0].x;
  const Matrix& y = parameters.values(0);
  Matrix block(4, 2103);
  block << terms.c + (terms.a + x) * y + x * terms.b, terms.a + x, terms.b + y, Matrix::Identity(3, 3);
  const double norm = Eigen::JacobiSVD<Matrix>(block).singularValues().sum();
  const RelaxationWeights one{1e-300, 1};
  EXPECT_NEAR(relaxation_objective(problem, parameters, one, point), loss_value(problem, point.output) + norm - 3,
              1e-12 * norm);
}

// With the parameters of a feasible point its objective is 0, and no point has less.
TEST(ParametersAt, FeasiblePointIsOptimal) {
  Generator random(7);
  for (const OutputActivation output : {OutputActivation::linear, OutputActivation::relu}) {
    const auto [problem, layers] = teacher_problem(random, {3, 3, 2}, 20, output);
    const LiftedPoint teacher = lift_network(problem, layers);
    const RelaxationParameters parameters = parameters_at(teacher);
    EXPECT_NEAR(relaxation_objective(problem, parameters, {}, teacher), 0, 1e-12);
    for (int i = 0; i < 200; ++i) {
      EXPECT_GT(relaxation_objective(problem, parameters, {}, random_point(random, problem)), 0);
    }
    SubproblemSolver solver(problem, {});
    solver.set_parameters(parameters);
    solver.set_point(random_point(random, problem));
    SubproblemOptions options;
    options.tolerance = 1e-10;
    EXPECT_EQ(solver.solve(options).status, SubproblemStatus::converged);
    EXPECT_NEAR(relaxation_objective(problem, parameters, {}, solver.point()), 0, 1e-7);
  }
}

class CheckParameters : public ::testing::Test {
 protected:
  CheckParameters() {
    problem_.inputs = Matrix::Zero(2, 5);
    problem_.targets = Matrix::Zero(1, 5);
    problem_.network.widths = {2, 3, 4, 1};
  }
  std::string message(const std::function<void(RelaxationParameters&)>& spoil) const {
    RelaxationParameters parameters = parameters_at(zero_point(problem_));
    check(parameters, problem_);
    spoil(parameters);
    try {
      check(parameters, problem_);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  }
  LiftedProblem problem_;
};

TEST_F(CheckParameters, Counts) {
  EXPECT_EQ(message([](auto& p) { p.product.pop_back(); }),
            "parameters: 2 pair and 1 product terms, expected 2 of each");
  EXPECT_EQ(message([](auto& p) { p.pair.clear(); }), "parameters: 0 pair and 2 product terms, expected 2 of each");
}

TEST_F(CheckParameters, Shapes) {
  const Matrix wrong = Matrix::Ones(7, 8);
  EXPECT_EQ(message([&](auto& p) { p.pair[0].x = wrong; }), "pair[0].x: 7 x 8, expected 3 x 5");
  EXPECT_EQ(message([&](auto& p) { p.pair[1].y = wrong; }), "pair[1].y: 7 x 8, expected 4 x 5");
  EXPECT_EQ(message([&](auto& p) { p.pair[1].scale = wrong; }), "pair[1].scale: 7 x 8, expected 4 x 5");
  EXPECT_EQ(message([&](auto& p) { p.product[0].x = wrong; }), "product[0].x: 7 x 8, expected 4 x 3");
  EXPECT_EQ(message([&](auto& p) { p.product[1].y = wrong; }), "product[1].y: 7 x 8, expected 4 x 5");
  EXPECT_EQ(message([&](auto& p) {
              p.product[1].left_matrix = wrong;
              p.product[1].right_matrix = wrong;
            }),
            "product[1].left_matrix: 7 x 8, expected 1 x 1");
  EXPECT_EQ(message([&](auto& p) {
              p.product[1].left_matrix = Matrix::Ones(1, 1);
              p.product[1].right_matrix = wrong;
            }),
            "product[1].right_matrix: 7 x 8, expected 5 x 5");
  for (const bool left : {true, false}) {
    EXPECT_EQ(message([&](auto& p) { (left ? p.product[0].left_matrix : p.product[0].right_matrix) = wrong; }),
              "product[0]: left_matrix and right_matrix must be given together");
  }
}

TEST_F(CheckParameters, Values) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(message([&](auto& p) { p.pair[0].x(1, 2) = nan; }), "pair[0].x: not all values are finite");
  EXPECT_EQ(message([&](auto& p) { p.product[0].y = Matrix::Constant(3, 5, infinity); }),
            "product[0].y: not all values are finite");
  EXPECT_EQ(message([](auto& p) { p.pair[1].scale(0) = 0; }), "pair[1].scale: 0, expected a number > 0");
  EXPECT_EQ(message([](auto& p) { p.product[1].left_scale = -2; }), "product[1].left_scale: -2, expected a number > 0");
  EXPECT_EQ(message([&](auto& p) { p.product[0].right_scale = infinity; }),
            "product[0].right_scale: inf, expected a number > 0");
}

}  // namespace
}  // namespace relufit
