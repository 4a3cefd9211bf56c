#include "subproblem/copies/unit_copies.h"

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"

namespace relufit {

UnitCopies::UnitCopies(const Activation& activation) : lift_(lift_of(activation)) {
  const auto pieces = static_cast<Index>(lift_.pieces.size());
  Vector a(2 * pieces);
  thresholds_.resize(pieces);
  for (Index p = 0; p < pieces; ++p) {
    const ActivationPiece& piece = lift_.pieces[static_cast<std::size_t>(p)];
    a(p) = piece.above;
    a(pieces + p) = piece.below;
    thresholds_(p) = piece.threshold;
  }
  length_ = a.norm();
  direction_ = a / length_;
  Matrix difference(pieces, 2 * pieces);  // E
  difference << Matrix::Identity(pieces, pieces), -Matrix::Identity(pieces, pieces);
  Matrix both = Matrix::Identity(2 * pieces, 2 * pieces);
  both += direction_ * direction_.transpose();
  const Matrix spread = product(Matrix(0.5 * both), difference.transpose());
  const Matrix inverse = product(difference, spread).inverse();
  const Vector sums = inverse.rowwise().sum();
  argument_penalty_ = sums.sum();
  shares_ = sums / argument_penalty_;
  response_ = product(spread, inverse);
}

}  // namespace relufit
