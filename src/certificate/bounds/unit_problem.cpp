#include "certificate/bounds/unit_problem.h"

#include <algorithm>
#include <cmath>

namespace relufit {

UnitProblem::UnitProblem(const Matrix& inputs, Matrix multipliers, bool bias)
    : dual(std::move(multipliers)), weights(inputs.rows()) {
  points.resize(inputs.rows() + (bias ? 1 : 0), inputs.cols());
  points.topRows(weights) = inputs;
  points.bottomRows(points.rows() - weights).setOnes();
  sizes = points.cwiseAbs();
  squares = points.cwiseAbs2();
  norms = inputs.colwise().norm().transpose();
  largest = norms.maxCoeff() * (1 + rounding(weights));
}

Vector UnitProblem::value(const Vector& direction) const {
  return dual * (points.transpose() * direction).cwiseMax(0.0);
}

/// Weights that have not been split lie in the ball that the others leave; all of them in the unit ball.
void Ranges::set(const UnitProblem& problem, const Cell& cell) {
  center = (cell.lower + cell.upper) / 2;
  half = (cell.upper - cell.lower) / 2;
  split.setOnes(center.size());
  double taken = 0;
  for (Index j = 0; j < problem.weights; ++j) {
    split(j) = half(j) < 1 ? 1 : 0;
    const double least_size = std::max({0.0, cell.lower(j), -cell.upper(j)});
    taken += least_size * least_size;
  }
  const double left = std::sqrt(std::max(0.0, 1 - taken));
  middle.noalias() = problem.points.transpose() * split.cwiseProduct(center);
  radius.noalias() = problem.sizes.transpose() * split.cwiseProduct(half);
  beside.noalias() = problem.squares.transpose() * (1 - split.array()).matrix();
  const bool bias = problem.has_bias();
  const double shift = bias ? center(problem.weights) : 0;
  const double room = bias ? half(problem.weights) : 0;
  least.resize(middle.size());
  most.resize(middle.size());
  for (Index i = 0; i < middle.size(); ++i) {
    const double ball = problem.norms(i) + room;
    const double lost = rounding(center.size()) * (ball + std::abs(shift) + radius(i));
    const double reach = radius(i) + left * std::sqrt(beside(i)) + lost;
    least(i) = std::max(middle(i) - reach, shift - ball - lost);
    most(i) = std::min(middle(i) + reach, shift + ball + lost);
  }
}

}  // namespace relufit
