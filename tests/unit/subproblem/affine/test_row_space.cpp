// The row space of the data against dense least squares.
#include <gtest/gtest.h>

#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>

#include "subproblem/affine/row_space.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;

// W, b of least norm that minimize 1/2 ||W U + b 1' - T||^2 + alpha/2 ||W||^2. Least norm in W: the inputs are
// centered, which separates the bias. Without bias nothing is centered.
Layer least_squares(const Matrix& inputs, const Matrix& targets, double alpha, bool bias) {
  const Index n = inputs.rows();
  const Index samples = inputs.cols();
  const Vector mean = bias ? Vector(inputs.rowwise().mean()) : Vector::Zero(n);
  Matrix system = Matrix::Zero(samples + n, n);
  // A constant row is centered to its rounding errors, which are no inputs.
  const Matrix centered = inputs.colwise() - mean;
  system.topRows(samples) =
      (centered.array().abs() > 1e-14 * inputs.cwiseAbs().maxCoeff()).select(centered, 0.0).transpose();
  system.bottomRows(n).diagonal().setConstant(std::sqrt(alpha));
  Matrix right = Matrix::Zero(samples + n, targets.rows());
  const Vector target_mean = bias ? Vector(targets.rowwise().mean()) : Vector::Zero(targets.rows());
  right.topRows(samples) = (targets.colwise() - target_mean).transpose();
  Eigen::CompleteOrthogonalDecomposition<Matrix> solver;
  solver.setThreshold(1e-12);
  Layer layer;
  layer.weights = solver.compute(system).solve(right).transpose();
  layer.bias = target_mean - layer.weights * mean;
  return layer;
}

// The claims of row_space.h for one set of inputs.
void expect_least_squares(const Matrix& inputs, Index expected_rank, double tolerance, bool bias = true) {
  Generator random(99);
  const RowSpace rows(inputs, bias);
  ASSERT_EQ(rows.rank(), expected_rank);
  const Matrix& basis = rows.basis();
  ASSERT_EQ(basis.rows(), expected_rank);
  ASSERT_EQ(basis.cols(), inputs.cols());
  EXPECT_LE((basis * basis.transpose() - Matrix::Identity(rows.rank(), rows.rank())).norm(), 1e-13);
  if (bias) {
    EXPECT_LE((basis.row(0).array() - basis(0, 0)).abs().maxCoeff(), 0.0);
  }

  const Matrix targets = normal_matrix(random, 3, inputs.cols());
  const Matrix projected = targets * basis.transpose();
  for (const double alpha : {0.0, 1e-3, 1.0, 1e6}) {
    const Layer expected = least_squares(inputs, targets, alpha, bias);
    const Matrix expected_fit = (expected.weights * inputs).colwise() + expected.bias;
    Vector gamma(rows.rank());
    rows.shrinkage(alpha, gamma);
    EXPECT_LE((projected * gamma.asDiagonal() * basis - expected_fit).norm(), tolerance * targets.norm()) << alpha;

    Layer layer{Matrix::Constant(3, inputs.rows(), 7.0), Vector::Constant(3, 7.0)};  // to be overwritten
    rows.weights(projected, alpha, layer);
    const double size = std::max(1.0, expected.weights.norm());
    EXPECT_LE((layer.weights - expected.weights).norm(), tolerance * size) << alpha;
    EXPECT_TRUE(bias || layer.bias.isZero(0)) << alpha;
    const Matrix fit = (layer.weights * inputs).colwise() + layer.bias;
    EXPECT_LE((fit - expected_fit).norm(), tolerance * targets.norm()) << alpha;
  }
}

TEST(RowSpace, FullRank) {
  Generator random(1);
  expect_least_squares(normal_matrix(random, 3, 30), 4, 1e-12);
  expect_least_squares(normal_matrix(random, 1, 2), 2, 1e-12);
  expect_least_squares(normal_matrix(random, 12, 300), 13, 1e-12);
  expect_least_squares(1e5 * normal_matrix(random, 4, 50), 5, 1e-12);
  expect_least_squares(normal_matrix(random, 4, 50).array() + 100.0, 5, 1e-11);
}

TEST(RowSpace, FewerSamplesThanInputs) {
  Generator random(2);
  expect_least_squares(normal_matrix(random, 8, 5), 5, 1e-12);
  expect_least_squares(normal_matrix(random, 8, 8), 8, 1e-10);
  expect_least_squares(normal_matrix(random, 8, 2), 2, 1e-12);
}

TEST(RowSpace, OneSample) {
  Generator random(3);
  expect_least_squares(normal_matrix(random, 3, 1), 1, 1e-13);
}

TEST(RowSpace, RankDeficient) {
  Generator random(4);
  expect_least_squares(normal_matrix(random, 6, 2) * normal_matrix(random, 2, 40), 3, 1e-11);
  Matrix repeated = normal_matrix(random, 4, 25);
  repeated.row(3) = repeated.row(1);
  expect_least_squares(repeated, 4, 1e-12);
}

TEST(RowSpace, ConstantRows) {
  Generator random(5);
  Matrix inputs = normal_matrix(random, 4, 25);
  inputs.row(2).setConstant(3.0);
  expect_least_squares(inputs, 4, 1e-12);
  inputs.row(0).setZero();
  expect_least_squares(inputs, 3, 1e-12);
  expect_least_squares(Matrix::Constant(3, 10, 0.7), 1, 1e-13);
  expect_least_squares(Matrix::Zero(3, 10), 1, 1e-13);
}

TEST(RowSpace, WithoutBias) {
  Generator random(7);
  expect_least_squares(normal_matrix(random, 3, 30), 3, 1e-12, false);
  expect_least_squares(normal_matrix(random, 8, 5), 5, 1e-12, false);
  expect_least_squares(normal_matrix(random, 3, 1), 1, 1e-13, false);
  expect_least_squares(normal_matrix(random, 6, 2) * normal_matrix(random, 2, 40), 2, 1e-11, false);
  Matrix inputs = normal_matrix(random, 4, 25);
  inputs.row(2).setConstant(3.0);
  expect_least_squares(inputs, 4, 1e-12, false);
  expect_least_squares(Matrix::Zero(3, 10), 0, 1e-13, false);
}

// Singular values far apart: the small directions must stay orthogonal to the constant row.
TEST(RowSpace, NearlyCollinearRowsKeepAnOrthonormalBasis) {
  Generator random(6);
  for (const double noise : {1e-3, 1e-6, 1e-9}) {
    Matrix inputs = normal_matrix(random, 4, 60).array() + 1.0;
    inputs.row(3) = inputs.row(0) + noise * normal_matrix(random, 1, 60);
    const RowSpace rows(inputs);
    ASSERT_EQ(rows.rank(), 5);
    const Matrix product = rows.basis() * rows.basis().transpose();
    EXPECT_LE((product - Matrix::Identity(5, 5)).norm(), 1e-13) << noise;
  }
}

}  // namespace
}  // namespace relufit
