#include "subproblem/affine/row_space.h"

#include <algorithm>
#include <cmath>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"

namespace relufit {

RowSpace::RowSpace(const Matrix& inputs, bool bias)
    : mean_(bias ? Vector(inputs.rowwise().mean()) : Vector::Zero(inputs.rows())), constants_(bias ? 1 : 0) {
  // [1, (U - u 1')'] = Q R makes all of Q orthogonal to 1 to rounding, whatever the singular values; those of U - u 1'
  // are the ones of R without its first row and column.
  const Index samples = inputs.cols();
  Matrix tall(samples, inputs.rows() + constants_);
  tall.leftCols(constants_).setOnes();
  tall.rightCols(inputs.rows()) = (inputs.colwise() - mean_).transpose();
  const Eigen::HouseholderQR<Matrix> qr(tall);
  const Index size = std::min(tall.rows(), tall.cols());
  const Matrix triangle = qr.matrixQR().topRows(size).triangularView<Eigen::Upper>();
  const Matrix orthonormal = qr.householderQ() * Matrix::Identity(samples, size);

  basis_ = Matrix::Constant(constants_, samples, 1.0 / std::sqrt(static_cast<double>(samples)));
  sums_ = basis_.rowwise().sum();
  left_.resize(inputs.rows(), 0);
  if (size == constants_) return;
  const Eigen::JacobiSVD<Matrix> svd(triangle.bottomRightCorner(size - constants_, inputs.rows()),
                                     Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Vector& s = svd.singularValues();
  const double scale = std::max(inputs.norm(), 1e-300);
  Index rank = 0;
  while (rank < s.size() && s(rank) > 1e-13 * scale) ++rank;
  left_ = svd.matrixV().leftCols(rank);
  singular_ = s.head(rank);
  basis_.conservativeResize(rank + constants_, samples);
  basis_.bottomRows(rank) = product(orthonormal.rightCols(size - constants_), svd.matrixU().leftCols(rank)).transpose();
  sums_ = basis_.rowwise().sum();
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
