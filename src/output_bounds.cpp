// Bounds on outputs at points: which points, and how far they are kept.

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "relufit/constraints.h"
#include "text.h"

namespace relufit {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Index target_row(const OutputBound& bound, std::size_t number, const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), bound.target);
  if (found != names.end()) return found - names.begin();
  throw std::invalid_argument(
      fmt::format("outputs[{}].target: {} is not a target", number, detail::shown(bound.target)));
}

double at(const Vector& values, Index point) { return values(values.size() == 1 ? 0 : point); }

/// The bound at its points, which begin at column `first`.
void narrow(const OutputBound& bound, std::size_t number, Index row, Index first, Index count, BoundedPoints& points) {
  for (Index i = 0; i < count; ++i) {
    double& lower = points.lower(row, first + i);
    double& upper = points.upper(row, first + i);
    lower = std::max(lower, at(bound.lower, i));
    upper = std::min(upper, at(bound.upper, i));
    if (lower <= upper) continue;
    throw std::invalid_argument(fmt::format("outputs[{}] contradicts itself or another: {} at least {} and at most {}",
                                            number, detail::shown(bound.target), lower, upper));
  }
}

}  // namespace

BoundedPoints bounded_points(const Constraints& constraints, const NetworkShape& shape, const Matrix& samples) {
  BoundedPoints points;
  points.inputs = samples;
  if (constraints.outputs.empty()) return points;
  Index count = samples.cols();
  for (const OutputBound& bound : constraints.outputs) count += bound.points.values.rows();
  points.inputs.conservativeResize(shape.widths.front(), count);
  const auto targets = static_cast<Index>(shape.target_names.size());
  points.lower.setConstant(targets, count, -kInfinity);
  points.upper.setConstant(targets, count, kInfinity);
  Index next = samples.cols();
  for (std::size_t i = 0; i < constraints.outputs.size(); ++i) {
    const OutputBound& bound = constraints.outputs[i];
    const Index row = target_row(bound, i, shape.target_names);
    if (bound.at_samples()) {
      narrow(bound, i, row, 0, samples.cols(), points);
      continue;
    }
    const Index own = bound.points.values.rows();
    points.inputs.middleCols(next, own) = select_columns(bound.points, shape.input_names);
    narrow(bound, i, row, next, own, points);
    next += own;
  }
  return points;
}

}  // namespace relufit
