#include "certificate/dual_point.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"

namespace relufit {

namespace {

/// Weights of the samples in the loss.
Vector omega(const LiftedProblem& problem) {
  return problem.sample_weights.size() > 0 ? problem.sample_weights : Vector::Ones(problem.samples());
}

/// Integers that sum to 0, by subtracting their mean from those that count.
void balance_by_mean(std::vector<std::int64_t>& values, const Vector& weights) {
  const auto counted = static_cast<std::int64_t>((weights.array() > 0).count());
  const std::int64_t sum = std::accumulate(values.begin(), values.end(), std::int64_t{0});
  std::int64_t rest = sum % counted;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(weights(static_cast<Index>(i)) > 0)) continue;
    const std::int64_t one = rest > 0 ? 1 : (rest < 0 ? -1 : 0);
    values[i] -= sum / counted + one;
    rest -= one;
  }
}

/// Integers that sum to 0, by making those of the heavier sign smaller: what lies between 0 and a bound stays there.
void balance_by_shrinking(std::vector<std::int64_t>& values) {
  std::int64_t positive = 0, negative = 0;
  for (const std::int64_t value : values) (value > 0 ? positive : negative) += value;
  const std::int64_t heavier = positive > -negative ? 1 : -1;
  const double share = heavier > 0 ? -static_cast<double>(negative) / static_cast<double>(positive)
                                   : -static_cast<double>(positive) / static_cast<double>(negative);
  std::int64_t sum = 0;
  for (std::int64_t& value : values) {
    if (value * heavier > 0) value = static_cast<std::int64_t>(static_cast<double>(value) * share);
    sum += value;
  }
  // Fewer units are left than there are samples, but for rounding of the share.
  while (sum != 0) {
    for (std::int64_t& value : values) {
      if (sum == 0) break;
      const std::int64_t one = sum > 0 ? 1 : -1;
      if (value * one <= 0) continue;
      value -= one;
      sum -= one;
    }
  }
}

/// The slopes on a grid so fine that N of its numbers add up exactly; with biases their rows sum to 0. Samples without
/// weight have none. Of the logistic loss they stay between omega (y - 1) and omega y.
Matrix on_grid(const Matrix& slopes, const LiftedProblem& problem, const Vector& weights) {
  const Index samples = slopes.cols();
  const double largest = slopes.cwiseAbs().maxCoeff();
  if (!(largest > 0)) return Matrix::Zero(slopes.rows(), samples);
  const int sample_bits = std::ilogb(static_cast<double>(samples)) + 1;
  const double unit = std::ldexp(1.0, std::ilogb(largest) + 1 - (50 - sample_bits));
  const bool bounded = problem.loss == Loss::logistic;
  Matrix grid(slopes.rows(), samples);
  std::vector<std::int64_t> values(static_cast<std::size_t>(samples));
  for (Index row = 0; row < slopes.rows(); ++row) {
    for (Index i = 0; i < samples; ++i) {
      double value = weights(i) > 0 ? std::round(slopes(row, i) / unit) : 0;
      if (bounded) {
        const double y = problem.targets(row, i);
        value = std::clamp(value, std::ceil(weights(i) * (y - 1) / unit), std::floor(weights(i) * y / unit));
      }
      values[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(value);
    }
    if (problem.bias && bounded) balance_by_shrinking(values);
    if (problem.bias && !bounded) balance_by_mean(values, weights);
    for (Index i = 0; i < samples; ++i) {
      grid(row, i) = unit * static_cast<double>(values[static_cast<std::size_t>(i)]);
    }
  }
  return grid;
}

Matrix slopes_of(const LiftedProblem& problem, const std::vector<Layer>& layers, const Vector& weights) {
  const Matrix outputs = network_of(problem, layers).forward(problem.inputs);
  return -loss_gradient(problem.loss, outputs, problem.targets) * weights.asDiagonal();
}

struct Distinct {
  Matrix inputs, dual;
};

/// Samples with equal inputs added up.
Distinct distinct_samples(const Matrix& inputs, const Matrix& dual) {
  std::vector<Index> order(static_cast<std::size_t>(inputs.cols()));
  std::iota(order.begin(), order.end(), Index{0});
  const auto less = [&](Index a, Index b) {
    const auto x = inputs.col(a);
    const auto y = inputs.col(b);
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
  };
  std::stable_sort(order.begin(), order.end(), less);
  std::vector<Index> first;
  Matrix sums(dual.rows(), dual.cols());
  for (const Index i : order) {
    if (first.empty() || less(first.back(), i)) {
      first.push_back(i);
      sums.col(static_cast<Index>(first.size()) - 1) = dual.col(i);
    } else {
      sums.col(static_cast<Index>(first.size()) - 1) += dual.col(i);
    }
  }
  return {inputs(Eigen::all, first), sums.leftCols(static_cast<Index>(first.size()))};
}

}  // namespace

DualValue::DualValue(const LiftedProblem& problem, const Vector& weights, const Matrix& dual)
    : logistic_(problem.loss == Loss::logistic), weights_(weights) {
  const double margin = rounding(dual.size());
  if (logistic_) {
    targets_ = problem.targets.row(0).transpose();
    shares_ = (weights.array() > 0).select(dual.row(0).transpose().array() / weights.array(), 0.0);
  } else {
    linear_ = dual.cwiseProduct(problem.targets).sum() -
              margin * dual.cwiseAbs().cwiseProduct(problem.targets.cwiseAbs()).sum();
    for (Index i = 0; i < dual.cols(); ++i) {
      if (weights(i) > 0) square_ += dual.col(i).squaredNorm() / weights(i);
    }
  }
  if (problem.network.skip_connections) {
    const Matrix exact = product(dual, problem.inputs.transpose());
    const Matrix sizes = product(Matrix(dual.cwiseAbs()), Matrix(problem.inputs.cwiseAbs()).transpose());
    square_ += (exact.cwiseAbs() + rounding(dual.cols()) * sizes).squaredNorm() / problem.ridge;
  }
  square_ *= 1 + margin;
}

double DualValue::at(double t) const {
  const double quadratic = t * t / 2 * square_ * (1 + rounding(1));
  if (!logistic_) return t * linear_ * (linear_ > 0 ? 1 - rounding(1) : 1 + rounding(1)) - quadratic;
  double sum = 0;
  for (Index i = 0; i < targets_.size(); ++i) {
    const double p = targets_(i) - t * shares_(i);
    if (p > 0 && p < 1) sum -= weights_(i) * (p * std::log(p) + (1 - p) * std::log1p(-p));
  }
  return sum - rounding(targets_.size()) * weights_.sum() - quadratic;
}

double DualValue::best(double most) const {
  if (!logistic_) return square_ > 0 ? std::clamp(linear_ / square_, 0.0, most) : 0;
  // Golden section.
  constexpr double kShare = 0.6180339887498949;
  double low = 0, high = std::min(most, 1 - rounding(64));  // below 1: probabilities stay in [0, 1]
  const double end = high;
  for (int i = 0; i < 60; ++i) {
    const double step = kShare * (high - low);
    const bool rises = at(high - step) < at(low + step);
    const double inner = rises ? high - step : low + step;
    (rises ? low : high) = inner;
  }
  const double inside = (low + high) / 2;
  return at(end) >= at(inside) ? end : inside;
}

DualPoint dual_point(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  const Vector weights = omega(problem);
  const Matrix dual = on_grid(slopes_of(problem, layers, weights), problem, weights);
  const Distinct distinct = distinct_samples(problem.inputs, dual);
  const Index inputs = distinct.inputs.rows();

  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(product(distinct.inputs, distinct.inputs.transpose()));
  const Matrix& axes = eigen.eigenvectors();
  const Matrix turned = product(axes.transpose(), distinct.inputs);
  DualPoint point{UnitProblem(turned, distinct.dual, problem.bias), DualValue(problem, weights, dual), axes};
  const double slack = rounding(inputs) * std::sqrt(static_cast<double>(inputs));
  const double delta =
      (product(axes.transpose(), axes) - Matrix::Identity(inputs, inputs)).norm() + slack * static_cast<double>(inputs);
  point.inflation = std::sqrt(1 + delta) * (1 + rounding(1));
  const Vector moved = (distinct.inputs - product(axes, turned)).colwise().norm().transpose();
  const Vector room = moved + slack * (distinct.inputs.colwise().norm().transpose() + 2 * point.unit.norms);
  point.displacement = distinct.dual.colwise().norm().dot(room) * (1 + rounding(turned.cols()));

  point.ridge = problem.ridge;
  return point;
}

double DualPoint::enough() const {
  const double t = value.best(std::numeric_limits<double>::max());
  if (!(t > 0)) return std::numeric_limits<double>::max();
  return std::max(0.0, (ridge / t - displacement) / inflation) * (1 - rounding(1));
}

double DualPoint::lower_bound(double unit_upper) const {
  const double largest = inflation * unit_upper + displacement;
  const double most = largest > 0 ? ridge / largest * (1 - rounding(1)) : std::numeric_limits<double>::max();
  return std::max(0.0, value.at(value.best(most)));
}

}  // namespace relufit
