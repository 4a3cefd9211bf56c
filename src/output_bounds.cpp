// Bounds on outputs at points: which points, and how far they are kept.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "relufit/constraints.h"
#include "text.h"

namespace relufit {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Coefficients of the outputs in the sum.
Vector coefficients_of(const OutputBound& bound, std::size_t number, const std::vector<std::string>& names) {
  Vector coefficients = Vector::Zero(static_cast<Index>(names.size()));
  for (const OutputBound::Part& part : bound.parts) {
    const auto found = std::find(names.begin(), names.end(), part.target);
    if (found == names.end()) {
      throw std::invalid_argument(
          fmt::format("outputs[{}].target: {} is not a target", number, detail::shown(part.target)));
    }
    double& coefficient = coefficients(found - names.begin());
    if (coefficient != 0) {
      throw std::invalid_argument(
          fmt::format("outputs[{}].sum: {} is named twice", number, detail::shown(part.target)));
    }
    coefficient = part.factor;
  }
  return coefficients;
}

double at(const Vector& values, Index point) { return values(values.size() == 1 ? 0 : point); }

/// The bound at its points, which begin at column `first`.
template <class Bounds>
void narrow(const OutputBound& bound, std::size_t number, Index first, Index count, Bounds&& lower, Bounds&& upper) {
  for (Index i = 0; i < count; ++i) {
    lower(first + i) = std::max(lower(first + i), at(bound.lower, i));
    upper(first + i) = std::min(upper(first + i), at(bound.upper, i));
    if (lower(first + i) <= upper(first + i)) continue;
    throw std::invalid_argument(fmt::format("outputs[{}] contradicts itself or another: {} at least {} and at most {}",
                                            number, description(bound), lower(first + i), upper(first + i)));
  }
}

}  // namespace

std::string description(const OutputBound& bound) {
  if (bound.is_box()) return bound.parts.front().target;
  std::string text;
  for (const OutputBound::Part& part : bound.parts) {
    const char* sign = part.factor < 0 ? "- " : text.empty() ? "" : "+ ";
    const double size = std::abs(part.factor);
    text +=
        fmt::format("{}{}{}{}", text.empty() ? "" : " ", sign, size == 1 ? "" : fmt::format("{} ", size), part.target);
  }
  return text;
}

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
    const Vector coefficients = coefficients_of(bound, i, shape.target_names);
    const Index first = bound.at_samples() ? 0 : next;
    const Index own = bound.at_samples() ? samples.cols() : bound.points.values.rows();
    if (!bound.at_samples()) {
      points.inputs.middleCols(next, own) = select_columns(bound.points, shape.input_names);
      next += own;
    }
    if (bound.is_box()) {
      Index row = 0;
      coefficients.maxCoeff(&row);
      narrow(bound, i, first, own, points.lower.row(row), points.upper.row(row));
      continue;
    }
    OutputTerm& term = points.terms.emplace_back();
    term = {coefficients, Vector::Constant(count, -kInfinity), Vector::Constant(count, kInfinity)};
    narrow(bound, i, first, own, term.lower, term.upper);
  }
  return points;
}

}  // namespace relufit
