#include "certificate/bounds/quadratic_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "linear_algebra/products.h"

namespace relufit {

namespace {

constexpr int kBoundSteps = 8;            // measured: more cells are worth more than better bounds
constexpr double kBiasShare = 0.3;        // of the ball's squared radius beyond 1
constexpr double kPolyak = 0.7;           // share of a full step of the multipliers
constexpr double kLeastCurvature = 1e-3;  // least c relative to its range: curvatures stay moderate
constexpr double kDefinite = 1e-9;        // least eigenvalue of B, relative: far above the rounding of eigenvalues

}  // namespace

QuadraticBound::QuadraticBound(const UnitProblem& problem) : problem_(problem) {
  columns_.resize(problem.coordinates(), problem.samples());
  factors_.resize(problem.coordinates(), problem.samples());
  weights_.resize(problem.samples());
  mean_.resize(problem.samples());
  square_.resize(problem.samples());
}

QuadraticBound::Parabola QuadraticBound::majorant(double least, double most, double mean, double square) {
  const double l = -least;
  const double nearer = std::min(l, most);
  const double c = std::max(std::sqrt(square), kLeastCurvature * nearer);
  if (c <= nearer) return {1 / (4 * c), 0.5, c / 4};
  const double width = l + most;
  const double chord = most / width;
  // E (z - l)(z - u) < 0: the more the better.
  const double a = square + (l - most) * mean - l * most < 0 ? nearer / (width * width) : 0;
  return {a, chord + a * (l - most), chord * l - a * l * most};
}

QuadraticBound::Parabola QuadraticBound::minorant(double least, double most) {
  const double a = 1 / (most - least);
  return {a, -a * least, 0};
}

double QuadraticBound::size_of(const Parabola& p, const Eigen::Ref<const Vector>& column) const {
  const double z = column.norm() * std::sqrt(reach2_) + std::abs(shift_);
  return (p.a * z + std::abs(p.b)) * z + std::abs(p.c);
}

void QuadraticBound::add_linear(const Parabola& p, double weight, const Eigen::Ref<const Vector>& column) {
  linear_ += (weight * (p.b + 2 * p.a * shift_)) * column;
  constant_ += weight * p.at(shift_);
  size_ += std::abs(weight) * size_of(p, column);
}

void QuadraticBound::set_coordinates(const Ranges& ranges) {
  lower_ = ranges.center - ranges.half;
  upper_ = ranges.center + ranges.half;
  shift_ = 0;
  scale_ = 1;
  reach2_ = 1;
  if (!problem_.has_bias()) return;
  const double end = std::sqrt(kBiasShare);
  shift_ = ranges.center(problem_.weights);
  scale_ = ranges.half(problem_.weights) / end;
  reach2_ = 1 + kBiasShare;
  lower_(problem_.weights) = -end;
  upper_(problem_.weights) = end;
}

/// What does not change from step to step, and the list of what does.
void QuadraticBound::set_terms(const Ranges& ranges, const Vector& r) {
  const Index coordinates = problem_.coordinates();
  linear_.setZero(coordinates);
  constant_ = size_ = 0;
  rising_.clear();
  falling_.clear();
  Index negative = 0;
  for (Index i = 0; i < r.size(); ++i) {
    if (r(i) == 0 || !(ranges.most(i) > 0)) continue;
    point_ = problem_.points.col(i);
    if (problem_.has_bias()) point_(problem_.weights) *= scale_;
    if (ranges.least(i) >= 0) {
      add_linear({0, 1, 0}, r(i), point_);
    } else if (r(i) < 0) {
      const Parabola p = minorant(ranges.least(i), ranges.most(i));
      add_linear(p, r(i), point_);
      factors_.col(negative++) = std::sqrt(-r(i) * p.a) * point_;
      falling_.push_back(i);
    } else {
      const auto k = static_cast<Index>(rising_.size());
      columns_.col(k) = point_;
      weights_(k) = r(i);
      rising_.push_back(i);
    }
  }
  const auto factors = factors_.leftCols(negative);
  set_product(fixed_quadratic_, factors, factors.transpose());
  fixed_quadratic_ = -fixed_quadratic_;
  fixed_linear_ = linear_;
  fixed_constant_ = constant_;
  fixed_size_ = size_;
}

/// To begin with, of points spread evenly.
void QuadraticBound::set_moments() {
  const double most = 1 / std::sqrt(static_cast<double>(problem_.coordinates()));
  const Vector center = (lower_ + upper_) / 2;
  const Vector spread = ((upper_ - lower_) / 2).cwiseMin(most).cwiseAbs2();
  for (std::size_t p = 0; p < rising_.size(); ++p) {
    const auto k = static_cast<Index>(p);
    mean_(k) = shift_ + columns_.col(k).dot(center);
    square_(k) = mean_(k) * mean_(k) + columns_.col(k).cwiseAbs2().dot(spread);
  }
}

double QuadraticBound::bound(const Ranges& ranges, const Vector& r, double target) {
  point_.resize(problem_.coordinates());
  set_coordinates(ranges);
  set_terms(ranges, r);
  set_moments();
  multipliers_.setZero(problem_.coordinates());
  double least = std::numeric_limits<double>::infinity();
  const auto open = static_cast<Index>(rising_.size());
  const auto factors = factors_.leftCols(open);
  for (int step = 0; step < kBoundSteps; ++step) {
    linear_ = fixed_linear_;
    constant_ = fixed_constant_;
    size_ = fixed_size_;
    for (Index k = 0; k < open; ++k) {
      const Index i = rising_[static_cast<std::size_t>(k)];
      const Parabola p = majorant(ranges.least(i), ranges.most(i), mean_(k), square_(k));
      add_linear(p, weights_(k), columns_.col(k));
      factors_.col(k) = std::sqrt(weights_(k) * p.a) * columns_.col(k);
    }
    quadratic_ = fixed_quadratic_;
    add_product(quadratic_, factors, factors.transpose());
    add_multipliers();
    const double value = over_ball();
    if (value < least) {
      least = value;
      best_point_ = point_;
    }
    if (least <= target) break;
    step_multipliers(ranges, value - std::max(target, 0.0));
    const double share = step == 0 ? 0.5 : 1.5 / (step + 2.5);
    for (Index k = 0; k < open; ++k) {
      const double z = shift_ + columns_.col(k).dot(point_);
      mean_(k) += share * (z - mean_(k));
      square_(k) += share * (z * z - square_(k));
    }
  }
  keep_maximizer(ranges, r);
  return least;
}

void QuadraticBound::add_multipliers() {
  for (Index j = 0; j < multipliers_.size(); ++j) {
    const double m = multipliers_(j);
    if (m == 0) continue;
    quadratic_(j, j) -= m;
    linear_(j) += m * (lower_(j) + upper_(j));
    constant_ -= m * lower_(j) * upper_(j);
    size_ += 4 * m;  // |y_j|, |lower_j| and |upper_j| are at most 1
  }
}

/// Sets the maximizer of y'Qy + g'y over the ball, and returns a bound on its value with the constant.
double QuadraticBound::over_ball() {
  const Index count = linear_.size();
  eigen_.compute(quadratic_);
  const Vector& values = eigen_.eigenvalues();
  rotated_.noalias() = eigen_.eigenvectors().transpose() * linear_;
  solution_.resize(count);
  const double largest = std::max(values(count - 1), 0.0);
  const double scale = std::max({values.cwiseAbs().maxCoeff(), rotated_.norm(), 1e-300});
  double lambda = largest + kDefinite * scale;
  const auto length2 = [&](double multiplier) {
    solution_ = rotated_.array() / (2 * (multiplier - values.array()));
    return solution_.squaredNorm();
  };
  double found = length2(lambda);
  if (found > reach2_) {  // Newton's method on 1 / |y|, which is nearly linear, between bounds
    double low = lambda;
    double high = lambda + rotated_.norm() / (2 * std::sqrt(reach2_));
    for (int i = 0; i < 40 && std::abs(found - reach2_) > 1e-9 * reach2_; ++i) {
      const double slope = (solution_.array().square() / (lambda - values.array())).sum() / (found * std::sqrt(found));
      (found > reach2_ ? low : high) = lambda;
      lambda += (1 / std::sqrt(reach2_) - 1 / std::sqrt(found)) / slope;
      if (!(lambda > low && lambda < high)) lambda = (low + high) / 2;
      found = length2(lambda);
    }
  }
  point_.noalias() = eigen_.eigenvectors() * solution_;
  // By Q itself, not by its computed eigenvalues.
  residual_ = lambda * point_;
  residual_.noalias() -= quadratic_ * point_;
  const double reach = std::sqrt(reach2_);
  const double value = lambda * reach2_ + point_.dot(residual_) + (2 * residual_ - linear_).norm() * reach + constant_;
  const double sizes = size_ + 3 * (lambda + quadratic_.norm()) * reach2_ + linear_.norm() * reach;
  const double margin = rounding(2 * problem_.samples() + 8 * count) * sizes;
  if (found < reach2_ && values(count - 1) > 0) {
    const double missing = std::sqrt(reach2_ - found);
    point_ += (solution_(count - 1) < 0 ? -missing : missing) * eigen_.eigenvectors().col(count - 1);
  }
  return value + margin;
}

/// Polyak's step for the multipliers of split coordinates and of the bias.
void QuadraticBound::step_multipliers(const Ranges& ranges, double excess) {
  double sum = 0;
  residual_.setZero(multipliers_.size());
  for (Index j = 0; j < multipliers_.size(); ++j) {
    if (ranges.split(j) == 0) continue;
    const double room = (point_(j) - lower_(j)) * (upper_(j) - point_(j));
    if (multipliers_(j) > 0 || room < 0) residual_(j) = room;
    sum += residual_(j) * residual_(j);
  }
  if (!(sum > 0)) return;
  multipliers_ = (multipliers_ - (kPolyak * excess / sum) * residual_).cwiseMax(0.0);
}

void QuadraticBound::keep_maximizer(const Ranges& ranges, const Vector& r) {
  maximizer_ = best_point_;
  if (problem_.has_bias()) maximizer_(problem_.weights) = shift_ + scale_ * maximizer_(problem_.weights);
  arguments_.noalias() = problem_.points.transpose() * maximizer_;
  promise_.setZero(maximizer_.size());
  const auto add = [&](Index i, double error) {
    const double width = ranges.most(i) - ranges.least(i);
    promise_ += ((std::max(error, 0.0) + 1e-6 * width) * std::abs(r(i)) / (width * width)) * problem_.squares.col(i);
  };
  for (std::size_t k = 0; k < rising_.size(); ++k) {
    const Index i = rising_[k];
    const auto p = static_cast<Index>(k);
    const double z = arguments_(i);
    add(i, majorant(ranges.least(i), ranges.most(i), mean_(p), square_(p)).at(z) - std::max(z, 0.0));
  }
  for (const Index i : falling_) {
    const double z = arguments_(i);
    add(i, std::max(z, 0.0) - minorant(ranges.least(i), ranges.most(i)).at(z));
  }
  promise_ = promise_.cwiseProduct(ranges.half.cwiseAbs2());
}

}  // namespace relufit
