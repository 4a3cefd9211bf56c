#include "subproblem/copies/unit_copies.h"

#include "linear_algebra/decompositions.h"

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
  const Matrix spread =
      0.5 * (Matrix::Identity(2 * pieces, 2 * pieces) + direction_ * direction_.transpose()) * difference.transpose();
  const Matrix inverse = (difference * spread).inverse();
  const Vector sums = inverse.rowwise().sum();
  argument_penalty_ = sums.sum();
  shares_ = sums / argument_penalty_;
  response_ = spread * inverse;
}

}  // namespace relufit
