// Singular value thresholding through Gram matrices and through blocks, against a thin singular value decomposition.
#include <gtest/gtest.h>

#include <Eigen/QR>
#include <Eigen/SVD>
#include <limits>

#include "subproblem/proximal/rank_block_prox.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::log_uniform;
using testing_random::normal_matrix;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

// prox of tau ||.||_* by its definition.
Matrix soft_threshold(const Matrix& block, double tau) {
  const Eigen::JacobiSVD<Matrix> svd(block, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Vector shrunk = (svd.singularValues().array() - tau).cwiseMax(0.0);
  return svd.matrixU() * shrunk.asDiagonal() * svd.matrixV().transpose();
}

double largest_singular_value(const Matrix& block) { return Eigen::JacobiSVD<Matrix>(block).singularValues()(0); }

Matrix orthonormal_columns(Generator& random, Index rows, Index cols) {
  const Eigen::HouseholderQR<Matrix> qr(normal_matrix(random, rows, cols));
  return qr.householderQ() * Matrix::Identity(rows, cols);
}

Matrix block_with(Generator& random, Index rows, Index cols, const Vector& singular_values) {
  const Index count = singular_values.size();
  return orthonormal_columns(random, rows, count) * singular_values.asDiagonal() *
         orthonormal_columns(random, cols, count).transpose();
}

// Both ways on one block; `split` columns go to the left part.
void expect_thresholds(const Matrix& block, double tau, Index split) {
  const Index rows = block.rows();
  const double top = largest_singular_value(block);
  const Matrix expected = soft_threshold(block, tau);
  const auto size = static_cast<double>(rows);

  ThresholdMap from_block(rows);
  from_block.set_from_block(block.leftCols(split), block.rightCols(block.cols() - split), tau);
  EXPECT_LE((from_block.matrix() * block - expected).norm(), 10 * size * kEpsilon * top) << rows << " tau " << tau;

  ThresholdMap from_gram(rows);
  if (!from_gram.set_from_gram(block * block.transpose(), tau)) {
    EXPECT_LT(tau, 1.0001e-5 * top);
    return;
  }
  // Relative error eps (top / sigma)^2 of sigma >= tau.
  const double bound = 10 * size * kEpsilon * top * std::max(1.0, top / tau);
  EXPECT_LE((from_gram.matrix() * block - expected).norm(), bound) << rows << " tau " << tau;
}

TEST(Threshold, RandomBlocks) {
  Generator random(1);
  for (const auto& [rows, cols] :
       {std::pair<Index, Index>{5, 33}, {6, 6}, {1, 40}, {8, 3}, {17, 1}, {3, 2}, {20, 300}}) {
    for (int i = 0; i < 20; ++i) {
      const Matrix block = log_uniform(random, -3, 3) * normal_matrix(random, rows, cols);
      const double tau = largest_singular_value(block) * log_uniform(random, -4.9, 0.5);
      expect_thresholds(block, tau, std::max<Index>(1, cols - rows));
    }
  }
}

TEST(Threshold, RankDeficientBlocks) {
  Generator random(2);
  for (int i = 0; i < 30; ++i) {
    const Matrix block = normal_matrix(random, 9, 3) * normal_matrix(random, 3, 40);
    expect_thresholds(block, largest_singular_value(block) * log_uniform(random, -4, 0), 31);
  }
}

TEST(Threshold, WideSpectra) {
  Generator random(3);
  for (const double low : {-4.0, -8.0, -12.0}) {
    for (int i = 0; i < 20; ++i) {
      Vector values(7);
      for (double& value : values) value = log_uniform(random, low, 0);
      const Matrix block = block_with(random, 7, 50, values);
      expect_thresholds(block, log_uniform(random, low, 0), 43);
    }
  }
}

TEST(Threshold, TinyTauKeepsTheBlock) {
  Generator random(4);
  const Matrix block = normal_matrix(random, 6, 30);
  ThresholdMap map(6);
  map.set_from_block(block.leftCols(24), block.rightCols(6), 1e-200);
  EXPECT_LE((map.matrix() * block - block).norm(), 1e-13 * block.norm());
}

TEST(Threshold, HugeTauGivesExactlyZero) {
  Generator random(5);
  const Matrix block = normal_matrix(random, 6, 30);
  ThresholdMap map(6);
  map.set_from_block(block.leftCols(24), block.rightCols(6), 1e9);
  EXPECT_EQ(map.matrix(), Matrix::Zero(6, 6));
  ASSERT_TRUE(map.set_from_gram(block * block.transpose(), 1e9));
  EXPECT_EQ(map.matrix(), Matrix::Zero(6, 6));
}

TEST(Threshold, ZeroBlock) {
  ThresholdMap map(4);
  ASSERT_TRUE(map.set_from_gram(Matrix::Zero(4, 4), 0.5));
  EXPECT_EQ(map.matrix(), Matrix::Zero(4, 4));
  map.set_from_block(Matrix::Zero(4, 7), Matrix::Zero(4, 2), 0.5);
  EXPECT_EQ(map.matrix(), Matrix::Zero(4, 4));
}

// The second use of a map must not remember the first.
TEST(Threshold, MapsAreReusable) {
  Generator random(6);
  ThresholdMap map(6);
  const Matrix first = normal_matrix(random, 6, 30);
  const Matrix second = normal_matrix(random, 6, 2);
  ASSERT_TRUE(map.set_from_gram(first * first.transpose(), 0.1));
  map.set_from_block(second.leftCols(1), second.rightCols(1), 0.1);
  EXPECT_LE((map.matrix() * second - soft_threshold(second, 0.1)).norm(), 1e-13);
  ASSERT_TRUE(map.set_from_gram(first * first.transpose(), 2.0));
  EXPECT_LE((map.matrix() * first - soft_threshold(first, 2.0)).norm(), 1e-12);
}

TEST(Threshold, GramIsRefusedExactlyBelowTheRatio) {
  const Vector values = (Vector(3) << 4.0, 1.0, 1e-3).finished();  // singular values 2, 1, ...
  const Matrix gram = values.asDiagonal();
  ThresholdMap map(3);
  EXPECT_FALSE(map.set_from_gram(gram, 1.999e-5));
  EXPECT_TRUE(map.set_from_gram(gram, 2.001e-5));
  EXPECT_TRUE(map.set_from_gram(gram, 1.0));
  EXPECT_FALSE(map.set_from_gram(gram, 1e-12));
}

TEST(Threshold, Nonexpansive) {
  Generator random(7);
  for (int i = 0; i < 300; ++i) {
    const Matrix first = normal_matrix(random, 5, 20);
    const Matrix second = first + log_uniform(random, -6, 1) * normal_matrix(random, 5, 20);
    const double tau = log_uniform(random, -1, 1);
    ThresholdMap a(5);
    ThresholdMap b(5);
    ASSERT_TRUE(a.set_from_gram(first * first.transpose(), tau));
    ASSERT_TRUE(b.set_from_gram(second * second.transpose(), tau));
    EXPECT_LE((a.matrix() * first - b.matrix() * second).norm(), (first - second).norm() + 1e-12);
  }
}

}  // namespace
}  // namespace relufit
