#include "certificate/bounds/chord_bound.h"

#include <algorithm>
#include <cmath>

#include "linear_algebra/products.h"

namespace relufit {

ChordBound::ChordBound(const UnitProblem& problem)
    : problem_(problem), dual_norms_(problem.dual.colwise().norm().transpose()) {
  // Of sums over samples and coordinates; a corner of the box is at most sqrt(D) from the center of the sphere.
  const double coordinates = static_cast<double>(problem.coordinates());
  const double size = dual_norms_.dot((problem.norms.array() + problem.largest).matrix());
  margin_ = rounding(problem.samples() + 16 * problem.coordinates()) * std::sqrt(coordinates) * size;
}

double ChordBound::bound(const Ranges& ranges) {
  const Index samples = problem_.samples();
  arguments_.noalias() = problem_.points.transpose() * ranges.center;
  slopes_.resize(samples);
  excess_.resize(samples);
  for (Index i = 0; i < samples; ++i) {
    const double l = ranges.least(i);
    const double u = ranges.most(i);
    const bool open = l < 0 && u > 0;
    slopes_(i) = open ? u / (u - l) : (u > 0 ? 1 : 0);
    excess_(i) = open ? -slopes_(i) * l : 0;
  }
  weighted_ = problem_.dual * slopes_.asDiagonal();
  set_product(linear_, weighted_, problem_.points.transpose());
  direction_.noalias() = problem_.dual * arguments_.cwiseMax(0.0);
  if (direction_.norm() > 0) {
    direction_.normalize();
  } else {
    direction_ = Vector::Unit(direction_.size(), 0);
  }
  forward_ = along(ranges, direction_, 1) + margin_;
  backward_ = along(ranges, direction_, -1) + margin_;
  const double p = direction_.size() > 1 ? across(ranges, direction_) : 0;
  return std::hypot(std::max({forward_, backward_, 0.0}), p) + margin_;
}

double ChordBound::along(const Ranges& ranges, const Vector& direction, double sign) {
  const Index weights = problem_.weights;
  gradient_.noalias() = sign * (linear_.transpose() * direction);
  const double excess = (sign * (problem_.dual.transpose() * direction)).cwiseMax(0.0).dot(excess_);
  axis_.setZero(gradient_.size());
  const double length = ranges.center.head(weights).norm();
  if (length > 0) axis_.head(weights) = ranges.center.head(weights) / length;
  double most = 0;  // of the bias
  if (problem_.has_bias()) {
    const double g = gradient_(weights);
    most = g * ranges.center(weights) + std::abs(g) * ranges.half(weights);
  }
  double least = gradient_.head(weights).norm() + most + excess;
  const auto try_multiplier = [&](double t) {
    double value = t + excess;
    for (Index j = 0; j < gradient_.size(); ++j) {
      const double g = gradient_(j) - t * axis_(j);
      value += g * ranges.center(j) + std::abs(g) * ranges.half(j);
    }
    least = std::min(least, value);
  };
  try_multiplier(0);
  for (Index j = 0; j < weights; ++j) {
    const double t = axis_(j) != 0 ? gradient_(j) / axis_(j) : 0;
    if (t > 0 && t < 4 * gradient_.head(weights).norm()) try_multiplier(t);
  }
  return least;
}

double ChordBound::across(const Ranges& ranges, const Vector& direction) const {
  const auto rest = [&](const auto& vector) { return (vector - direction * direction.dot(vector)).norm(); };
  // With t_i = 1/2 +- 1/2.
  double sum = rest(linear_ * ranges.center + 0.5 * (problem_.dual * excess_));
  for (Index j = 0; j < linear_.cols(); ++j) sum += rest(linear_.col(j)) * ranges.half(j);
  for (Index i = 0; i < excess_.size(); ++i) {
    if (excess_(i) > 0) sum += 0.5 * excess_(i) * rest(problem_.dual.col(i));
  }
  return sum;
}

Index ChordBound::best_split(const Ranges& ranges, double size) const {
  Vector score = Vector::Zero(ranges.center.size());
  for (Index i = 0; i < excess_.size(); ++i) {
    if (!(excess_(i) > 0)) continue;
    const double width = ranges.most(i) - ranges.least(i);
    score += (dual_norms_(i) / width) * problem_.squares.col(i);
  }
  score.head(problem_.weights).array() += size / 4;
  Index best = 0;
  score.cwiseProduct(ranges.half.cwiseAbs2()).maxCoeff(&best);
  return best;
}

}  // namespace relufit
