#include "smooth_activation.h"

#include <cmath>

namespace relufit {

// With r = sqrt(u^2 + width^2), u = z - t, a piece is above (u + r) / 2 + below (r - u) / 2, its derivative
// (above - below) / 2 + (above + below) / 2 u / r.
void apply_smoothed(const Activation& activation, double width, Matrix& values, Matrix& slopes) {
  const ActivationLift lift = lift_of(activation);
  const double square = width * width;
  const Matrix arguments = values;
  values.setConstant(lift.offset);
  slopes.setZero(values.rows(), values.cols());
  for (const ActivationPiece& piece : lift.pieces) {
    const double odd = 0.5 * (piece.above - piece.below);
    const double even = 0.5 * (piece.above + piece.below);
    const auto u = arguments.array() - piece.threshold;
    values.array() += odd * u + even * (u.square() + square).sqrt();
    slopes.array() += odd + even * u / (u.square() + square).sqrt();
  }
}

}  // namespace relufit
