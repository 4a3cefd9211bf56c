#include "network/smooth_activation.h"

#include <cmath>

namespace relufit {

namespace {

/// max(z_1, z_2) = (z_1 + z_2 + |z_1 - z_2|) / 2, with sqrt(d^2 + width^2) for the absolute value.
void evaluate_smoothed_maxout(double width, const Eigen::Ref<const Matrix>& arguments, Eigen::Ref<Matrix> values,
                              Eigen::Ref<Matrix> slopes) {
  const auto first = arguments.topRows(values.rows()).array();
  const auto second = arguments.bottomRows(values.rows()).array();
  const Eigen::ArrayXXd size = ((first - second).square() + width * width).sqrt();
  values = 0.5 * (first + second + size);
  slopes.topRows(values.rows()) = 0.5 + 0.5 * (first - second) / size;
  slopes.bottomRows(values.rows()) = 1 - slopes.topRows(values.rows()).array();
}

}  // namespace

// With r = sqrt(u^2 + width^2), u = z - t, a piece is above (u + r) / 2 + below (r - u) / 2, its derivative
// (above - below) / 2 + (above + below) / 2 u / r.
void evaluate_smoothed(const Activation& activation, double width, const Eigen::Ref<const Matrix>& arguments,
                       Eigen::Ref<Matrix> values, Eigen::Ref<Matrix> slopes) {
  if (activation == Activation::maxout) return evaluate_smoothed_maxout(width, arguments, values, slopes);
  const ActivationLift lift = lift_of(activation);
  const double square = width * width;
  values.setConstant(lift.offset);
  slopes.setZero();
  for (const ActivationPiece& piece : lift.pieces) {
    const double odd = 0.5 * (piece.above - piece.below);
    const double even = 0.5 * (piece.above + piece.below);
    const auto u = arguments.array() - piece.threshold;
    values.array() += odd * u + even * (u.square() + square).sqrt();
    slopes.array() += odd + even * u / (u.square() + square).sqrt();
  }
}

}  // namespace relufit
