#include "subproblem/affine/row_space.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"
#include "problem/sample_sums.h"

namespace relufit {

namespace {

Vector row_sums(const Chunks& chunks, const Matrix& matrix) {
  ChunkSums sums(chunks, matrix.rows());
  for (Index i = 0; i < chunks.count(); ++i) {
    sums[i] = matrix.middleCols(chunks[i].begin, chunks[i].size).rowwise().sum();
  }
  return sums.total();
}

/// A = Q R of a matrix with a row for every sample: each chunk's factors, then those of their triangles put together.
struct TallFactors {
  Matrix orthonormal;  // of the samples here
  Matrix triangle;
};

TallFactors factors_of(const Chunks& chunks, Matrix tall) {
  const Index columns = tall.cols();
  Matrix triangles(columns, 0);  // transposed, side by side
  for (Index i = 0; i < chunks.count(); ++i) {
    auto rows = tall.middleRows(chunks[i].begin, chunks[i].size);
    const Eigen::HouseholderQR<Matrix> qr(rows);
    const Index size = std::min(rows.rows(), columns);
    triangles.conservativeResize(Eigen::NoChange, triangles.cols() + size);
    triangles.rightCols(size) = Matrix(qr.matrixQR().topRows(size).triangularView<Eigen::Upper>()).transpose();
    rows.leftCols(size) = qr.householderQ() * Matrix::Identity(rows.rows(), size);
  }
  const Matrix all = gathered_columns(chunks.ranks(), triangles).transpose();
  if (chunks.total() == 1) return {tall.leftCols(all.rows()), all};
  const Eigen::HouseholderQR<Matrix> qr(all);
  const Index size = std::min(all.rows(), columns);
  const Matrix rotation = qr.householderQ() * Matrix::Identity(all.rows(), size);
  Matrix orthonormal(tall.rows(), size);
  // Where this rank's triangles begin: all chunks but the last have as many rows.
  Index at = chunks.first() * std::min(chunks.size(), columns);
  for (Index i = 0; i < chunks.count(); ++i) {
    const Range samples = chunks[i];
    const Index rows = std::min(samples.size, columns);
    set_product(orthonormal.middleRows(samples.begin, samples.size),
                tall.middleRows(samples.begin, samples.size).leftCols(rows), rotation.middleRows(at, rows));
    at += rows;
  }
  return {orthonormal, qr.matrixQR().topRows(size).triangularView<Eigen::Upper>()};
}

}  // namespace

RowSpace::RowSpace(const Matrix& inputs, bool bias, const Chunks& chunks)
    : mean_(Vector::Zero(inputs.rows())), constants_(bias ? 1 : 0) {
  const auto samples = static_cast<double>(chunks.samples_of_all());
  if (bias) mean_ = row_sums(chunks, inputs) / samples;
  // [1, (U - u 1')'] = Q R makes all of Q orthogonal to 1 to rounding, whatever the singular values; those of U - u 1'
  // are the ones of R without its first row and column.
  Matrix tall(inputs.cols(), inputs.rows() + constants_);
  tall.leftCols(constants_).setOnes();
  tall.rightCols(inputs.rows()) = (inputs.colwise() - mean_).transpose();
  const auto [orthonormal, triangle] = factors_of(chunks, std::move(tall));
  const Index size = triangle.rows();

  basis_ = Matrix::Constant(constants_, inputs.cols(), 1.0 / std::sqrt(samples));
  left_.resize(inputs.rows(), 0);
  if (size > constants_) {
    const Eigen::JacobiSVD<Matrix> svd(triangle.bottomRightCorner(size - constants_, inputs.rows()),
                                       Eigen::ComputeThinU | Eigen::ComputeThinV);
    const Vector& s = svd.singularValues();
    const double square =
        sum_over(chunks, [&](Range mine) { return inputs.middleCols(mine.begin, mine.size).squaredNorm(); });
    const double scale = std::max(std::sqrt(square), 1e-300);
    Index rank = 0;
    while (rank < s.size() && s(rank) > 1e-13 * scale) ++rank;
    left_ = svd.matrixV().leftCols(rank);
    singular_ = s.head(rank);
    basis_.conservativeResize(rank + constants_, inputs.cols());
    const Matrix turned = svd.matrixU().leftCols(rank).transpose();
    for (Index i = 0; i < chunks.count(); ++i) {
      const Range mine = chunks[i];
      set_product(basis_.bottomRows(rank).middleCols(mine.begin, mine.size), turned,
                  orthonormal.middleRows(mine.begin, mine.size).rightCols(size - constants_).transpose());
    }
  }
  sums_ = row_sums(chunks, basis_);
}

void RowSpace::shrinkage(double alpha, Vector& gamma) const {
  gamma.head(constants_).setOnes();
  gamma.tail(singular_.size()).array() = singular_.array().square() / (singular_.array().square() + alpha);
}

void RowSpace::weights(const Matrix& projected, double alpha, Layer& layer) const {
  layer.weights.setZero();
  for (Index j = 0; j < singular_.size(); ++j) {
    const double factor = singular_(j) / (singular_(j) * singular_(j) + alpha);
    layer.weights.noalias() += factor * projected.col(j + constants_) * left_.col(j).transpose();
  }
  if (constants_ == 0) {
    layer.bias.setZero();
    return;
  }
  layer.bias = projected.col(0) * basis_(0, 0);
  subtract_product(layer.bias, layer.weights, mean_);
}

void RowSpace::input_weights(const Matrix& projected, Matrix& weights) const {
  weights.setZero(projected.rows(), left_.rows());
  for (Index j = 0; j < singular_.size(); ++j) {
    weights.noalias() += projected.col(j) / singular_(j) * left_.col(j).transpose();
  }
}

void RowSpace::project(const Matrix& weights, Matrix& projected) const {
  projected.resize(weights.rows(), rank());
  projected.leftCols(constants_).setZero();
  set_product(projected.rightCols(singular_.size()), weights, left_);
  projected.rightCols(singular_.size()) *= singular_.asDiagonal();
}

}  // namespace relufit
