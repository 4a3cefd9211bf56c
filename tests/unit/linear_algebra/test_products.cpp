// Products against sums in extended precision, over shapes around the kernel's tiles, blocks and limits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "linear_algebra/products.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr Index kMargin = 3;  // rows and columns around a block, which must stay as they are

/// A matrix inside a larger one, at an address and with a stride of its own, as it is or transposed.
class Placed {
 public:
  Placed(Generator& random, Index rows, Index columns, bool transposed, Index offset)
      : around_(normal_matrix(random, (transposed ? columns : rows) + offset, (transposed ? rows : columns) + 1)),
        offset_(offset),
        transposed_(transposed) {}

  Matrix value() const { return transposed_ ? Matrix(view().transpose()) : Matrix(view()); }
  Factor factor() const { return transposed_ ? Factor(view().transpose()) : Factor(view()); }

 private:
  Eigen::Block<const Matrix> view() const {
    return around_.bottomRightCorner(around_.rows() - offset_, around_.cols() - 1);
  }

  Matrix around_;
  Index offset_;
  bool transposed_;
};

/// a b, and in `sizes` the sums of the terms' absolute values, to which errors are relative.
Matrix reference(const Matrix& a, const Matrix& b, Matrix& sizes) {
  Matrix result(a.rows(), b.cols());
  sizes.resize(a.rows(), b.cols());
  for (Index j = 0; j < b.cols(); ++j) {
    for (Index i = 0; i < a.rows(); ++i) {
      long double sum = 0, size = 0;
      for (Index p = 0; p < a.cols(); ++p) {
        const long double term = static_cast<long double>(a(i, p)) * b(p, j);
        sum += term;
        size += std::abs(term);
      }
      result(i, j) = static_cast<double>(sum);
      sizes(i, j) = static_cast<double>(size);
    }
  }
  return result;
}

void expect_near(const Matrix& actual, const Matrix& expected, const Matrix& sizes, Index depth) {
  const Matrix allowed = (static_cast<double>(depth) + 4) * kEpsilon * (sizes.array() + expected.array().abs());
  EXPECT_TRUE(((actual - expected).array().abs() <= allowed.array()).all())
      << (actual - expected).cwiseAbs().maxCoeff();
}

struct Shape {
  Index rows, depth, columns;
};

constexpr std::array<Shape, 24> kShapes{{{1, 1, 1},    {1, 20, 9},   {20, 9, 1},    {2, 0, 3},      {2, 1, 2},
                                         {3, 5, 7},    {4, 4, 4},    {5, 128, 6},   {7, 3, 128},    {8, 8, 8},
                                         {11, 2, 13},  {12, 300, 4}, {13, 1, 5},    {16, 16, 2},    {17, 31, 3},
                                         {20, 20, 97}, {23, 50, 9},  {24, 700, 24}, {25, 129, 25},  {64, 260, 5},
                                         {100, 51, 8}, {129, 40, 3}, {257, 20, 7},  {130, 333, 130}}};

TEST(Products, AreThoseOfExtendedPrecisionAndTouchNothingElse) {
  Generator random(1);
  for (const auto& [rows, depth, columns] : kShapes) {
    for (int form = 0; form < 4; ++form) {
      SCOPED_TRACE(fmt::format("{} x {} x {}, form {}", rows, depth, columns, form));
      const Placed a(random, rows, depth, form % 2 == 1, form), b(random, depth, columns, form / 2 == 1, 3 - form);
      Matrix sizes;
      const Matrix expected = reference(a.value(), b.value(), sizes);
      const Matrix before = normal_matrix(random, rows + 2 * kMargin, columns + 2 * kMargin);
      Matrix to = before;
      auto block = to.block(kMargin, kMargin, rows, columns);
      const Matrix old = block;

      add_product(block, a.factor(), b.factor());
      expect_near(block, old + expected, sizes + old.cwiseAbs(), depth);
      block = old;
      subtract_product(block, a.factor(), b.factor());
      expect_near(block, old - expected, sizes + old.cwiseAbs(), depth);
      block.setConstant(std::numeric_limits<double>::quiet_NaN());
      set_product(block, a.factor(), b.factor());
      expect_near(block, expected, sizes, depth);

      block = before.block(kMargin, kMargin, rows, columns);
      EXPECT_EQ(to, before);
    }
  }
}

TEST(Products, GiveMatricesAndVectorsTheirShape) {
  Generator random(2);
  const Matrix a = normal_matrix(random, 7, 5), b = normal_matrix(random, 5, 3);
  Matrix to;
  set_product(to, a, b);
  EXPECT_EQ(to, product(a, b));
  Vector vector;
  set_product(vector, a, b.col(1));
  EXPECT_EQ(vector, product(a, b.col(1)));
  EXPECT_EQ(product(Matrix(4, 0), Matrix(0, 6)), Matrix::Zero(4, 6));
}

// Eigen rounds an entry by the packet that it falls into.
TEST(Products, OfASmallFactorDoNotDependOnWhereAnEntryLies) {
  Generator random(3);
  for (const Index rows : {2, 5, 20, 101}) {
    const Matrix a = normal_matrix(random, rows, 70), b = normal_matrix(random, 70, 23);
    const Matrix whole = product(a, b);
    for (Index first = 0; first < 9; ++first) {
      EXPECT_EQ(product(a, b.rightCols(23 - first)), whole.rightCols(23 - first)) << rows << ", from column " << first;
      if (rows - first < 2) continue;
      EXPECT_EQ(product(a.bottomRows(rows - first), b), whole.bottomRows(rows - first)) << rows << ", from " << first;
    }
  }
}

TEST(Products, LowerGramIsThatOfExtendedPrecision) {
  Generator random(4);
  for (const Index rows : {1, 2, 3, 4, 5, 11, 12, 13, 21, 40, 101, 300}) {
    for (const Index depth : {0, 1, 7, 128, 500}) {
      for (const bool transposed : {false, true}) {
        SCOPED_TRACE(fmt::format("{} x {}, transposed {}", rows, depth, transposed));
        const Placed a(random, rows, depth, transposed, 1);
        Matrix sizes;
        const Matrix expected = reference(a.value(), a.value().transpose(), sizes);
        const Matrix old = normal_matrix(random, rows, rows);
        Matrix to = old;
        add_lower_gram(to, a.factor());
        const auto lower = [](const Matrix& of) { return Matrix(of.triangularView<Eigen::Lower>()); };
        expect_near(lower(to), lower(old + expected), lower(sizes + old.cwiseAbs()), depth);
      }
    }
  }
}

}  // namespace
}  // namespace relufit
