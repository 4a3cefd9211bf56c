#include "subproblem/anderson.h"

#include <algorithm>
#include <utility>

#include "linear_algebra/products.h"

namespace relufit {

Anderson::Anderson(Index size, Index memory)
    : memory_(memory),
      residual_(memory > 0 ? size : 0),
      previous_residual_(residual_.size()),
      previous_image_(residual_.size()),
      fallback_(residual_.size()),
      residual_differences_(residual_.size(), memory),
      image_differences_(residual_.size(), memory),
      gram_(Matrix::Zero(memory, memory)),
      right_(Vector::Zero(memory)),
      gamma_(memory),
      factor_(memory) {}

void Anderson::reset() {
  filled_ = 0;
  next_ = 0;
  has_previous_ = false;
  plain_next_ = true;
  pending_ = false;
  gram_.setZero();
  right_.setZero();
}

void Anderson::step(const Vector& v, const Vector& weights, Vector& image) {
  if (memory_ == 0) return;
  residual_.array() = (image - v).array() * weights.array().sqrt();
  const double residual = residual_.norm();
  if (rejected(residual)) {
    image = fallback_;
    reset();
    return;
  }
  if (has_previous_) remember(image);
  previous_residual_ = residual_;
  previous_image_ = image;
  has_previous_ = true;
  const bool plain = std::exchange(plain_next_, !plain_next_);
  if (plain || filled_ == 0 || residual == 0 || !solve()) return;
  fallback_ = image;
  plain_residual_ = residual;
  pending_ = true;
  subtract_product(image, image_differences_.leftCols(filled_), gamma_.head(filled_));
}

bool Anderson::rejected(double residual) {
  const bool worse = pending_ && !(residual <= kGrowth * plain_residual_);
  pending_ = false;
  return worse;
}

void Anderson::remember(const Vector& image) {
  residual_differences_.col(next_) = residual_ - previous_residual_;
  image_differences_.col(next_) = image - previous_image_;
  filled_ = std::min(filled_ + 1, memory_);
  set_product(gram_.col(next_).head(filled_), residual_differences_.leftCols(filled_).transpose(),
              residual_differences_.col(next_));
  gram_.row(next_) = gram_.col(next_).transpose();
  // dF' f follows the residual by the differences' own products; only the new column's product is formed.
  right_ += gram_.col(next_);
  right_(next_) = residual_differences_.col(next_).dot(residual_);
  next_ = (next_ + 1) % memory_;
}

bool Anderson::solve() {
  // Columns not filled yet are zero in the equations, which keeps their size.
  const double eta = kRegularization * gram_.topLeftCorner(filled_, filled_).trace();
  factor_.compute(gram_ + eta * Matrix::Identity(memory_, memory_));
  gamma_ = factor_.solve(right_);
  return gamma_.allFinite();
}

}  // namespace relufit
