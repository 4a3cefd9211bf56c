#include "certificate/dual_point.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "linear_algebra/decompositions.h"

namespace relufit {

namespace {

/// Weights of the samples in the loss.
Vector omega(const LiftedProblem& problem) {
  return problem.sample_weights.size() > 0 ? problem.sample_weights : Vector::Ones(problem.samples());
}

/// The errors on a grid so fine that N of its numbers add up exactly; with biases their rows sum to 0. Samples without
/// weight have none.
Matrix on_grid(const Matrix& errors, const Vector& weights, bool balanced) {
  const Index samples = errors.cols();
  const double largest = errors.cwiseAbs().maxCoeff();
  if (!(largest > 0)) return Matrix::Zero(errors.rows(), samples);
  const int sample_bits = std::ilogb(static_cast<double>(samples)) + 1;
  const double unit = std::ldexp(1.0, std::ilogb(largest) + 1 - (50 - sample_bits));
  const auto counted = static_cast<std::int64_t>((weights.array() > 0).count());
  Matrix grid(errors.rows(), samples);
  for (Index row = 0; row < errors.rows(); ++row) {
    std::int64_t sum = 0;
    for (Index i = 0; i < samples; ++i) {
      const std::int64_t value = weights(i) > 0 ? std::llround(errors(row, i) / unit) : 0;
      grid(row, i) = static_cast<double>(value);
      sum += value;
    }
    if (!balanced) continue;
    std::int64_t rest = sum % counted;
    for (Index i = 0; i < samples; ++i) {
      if (!(weights(i) > 0)) continue;
      const std::int64_t one = rest > 0 ? 1 : (rest < 0 ? -1 : 0);
      grid(row, i) -= static_cast<double>(sum / counted + one);
      rest -= one;
    }
  }
  return grid * unit;
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

DualPoint dual_point(const LiftedProblem& problem, const std::vector<Layer>& layers) {
  const Vector weights = omega(problem);
  const Matrix errors = (problem.targets - network_of(problem, layers).forward(problem.inputs)) * weights.asDiagonal();
  const Matrix dual = on_grid(errors, weights, problem.bias);
  const Distinct distinct = distinct_samples(problem.inputs, dual);
  const Index inputs = distinct.inputs.rows();

  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(distinct.inputs * distinct.inputs.transpose());
  const Matrix& axes = eigen.eigenvectors();
  const Matrix turned = axes.transpose() * distinct.inputs;
  DualPoint point{UnitProblem(turned, distinct.dual, problem.bias), axes};
  const double slack = rounding(inputs) * std::sqrt(static_cast<double>(inputs));
  const double delta =
      (axes.transpose() * axes - Matrix::Identity(inputs, inputs)).norm() + slack * static_cast<double>(inputs);
  point.inflation = std::sqrt(1 + delta) * (1 + rounding(1));
  const Vector moved = (distinct.inputs - axes * turned).colwise().norm().transpose();
  const Vector room = moved + slack * (distinct.inputs.colwise().norm().transpose() + 2 * point.unit.norms);
  point.displacement = distinct.dual.colwise().norm().dot(room) * (1 + rounding(turned.cols()));

  const double margin = rounding(dual.size());
  point.ridge = problem.ridge;
  point.linear = dual.cwiseProduct(problem.targets).sum() -
                 margin * dual.cwiseAbs().cwiseProduct(problem.targets.cwiseAbs()).sum();
  for (Index i = 0; i < dual.cols(); ++i) {
    if (weights(i) > 0) point.square += dual.col(i).squaredNorm() / weights(i);
  }
  if (problem.skip_connections) {
    const Matrix exact = dual * problem.inputs.transpose();
    const Matrix sizes = dual.cwiseAbs() * problem.inputs.cwiseAbs().transpose();
    point.square += (exact.cwiseAbs() + rounding(dual.cols()) * sizes).squaredNorm() / problem.ridge;
  }
  point.square *= 1 + margin;
  return point;
}

double DualPoint::enough() const {
  if (!(linear > 0)) return std::numeric_limits<double>::infinity();
  return std::max(0.0, (ridge * square / linear - displacement) / inflation);
}

double DualPoint::lower_bound(double unit_upper) const {
  if (!(linear > 0)) return 0;
  const double largest = inflation * unit_upper + displacement;
  const double t = std::min(ridge / largest, linear / square) * (1 - rounding(1));
  return std::max(0.0, t * linear * (1 - rounding(1)) - t * t / 2 * square * (1 + rounding(1)));
}

}  // namespace relufit
