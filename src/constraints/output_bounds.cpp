// Bounds on outputs at points: which points, and how far they are kept.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/infinity.h"
#include "base/refusal.h"
#include "constraints/class_outputs.h"
#include "constraints/output_slack.h"
#include "constraints/rounding.h"
#include "files/text.h"
#include "relufit/constraints.h"

namespace relufit {

namespace {

constexpr double kLargest = 1 - 1e-6;  // bound of a probability: nearer to 1 its rounding is larger than the margin

/// lower <= coefficients' outputs <= upper, one value for all points or one for each.
struct OutputForm {
  Vector coefficients;
  Vector lower, upper;
  std::string name;  ///< for messages
};

/// Whether the bound is one on a probability.
bool is_probability(const OutputBound& bound, const NamedNetwork& shape) {
  return has_probabilities(shape) && !bound.is_sum && bound.is_box();
}

NamedOutput output_of(const OutputBound::Part& part, std::size_t number, const NamedNetwork& shape) {
  const std::optional<NamedOutput> named = named_output(shape, part.target);
  if (!named) fail(fmt::format("outputs[{}].target: {} is not a target", number, detail::shown(part.target)));
  return *named;
}

/// The sum as it is stated; scores of several classes only by their differences.
OutputForm form_of_sum(const OutputBound& bound, std::size_t number, const NamedNetwork& shape) {
  Vector coefficients = Vector::Zero(static_cast<Index>(shape.target_names.size()));
  double sum = 0;
  for (const OutputBound::Part& part : bound.parts) {
    const NamedOutput named = output_of(part, number, shape);
    double& coefficient = coefficients(named.output);
    if (coefficient != 0) fail(fmt::format("outputs[{}].sum: {} is named twice", number, detail::shown(part.target)));
    coefficient = named.sign * part.factor;
    sum += part.factor;
  }
  constexpr double kRounding = 1e-12;  // of factors that are decimal numbers
  if (compares_outputs(shape) && has_probabilities(shape) && std::abs(sum) > kRounding * coefficients.lpNorm<1>()) {
    fail(
        fmt::format("outputs[{}].sum: factors sum to {}, expected 0 with scores under softmax, of which only "
                    "differences mean something",
                    number, sum));
  }
  return {coefficients, bound.lower, bound.upper, description(bound)};
}

double log_odds(double probability) { return std::log(probability) - std::log1p(-probability); }

void check_probabilities(const OutputBound& bound, std::size_t number, const NamedNetwork& shape) {
  for (const double lower : bound.lower) {
    if (lower == -kInfinity || (lower >= 0 && lower <= kLargest)) continue;
    fail(fmt::format("outputs[{}].lower: {} for a probability, expected 0 to {} (log-odds: a sum)", number, lower,
                     kLargest));
  }
  for (const double upper : bound.upper) {
    if (upper < kInfinity && upper != 1 && !(upper > 0 && upper <= kLargest)) {
      fail(fmt::format(
          "outputs[{}].upper: {} for a probability, expected above 0 and at most {}, or 1 (log-odds: a sum)", number,
          upper, kLargest));
    }
    if (upper < 1 && shape.classification.class_count() > 2) {
      fail(
          fmt::format("outputs[{}].upper: {} for the probability of one of {} classes, expected lower alone: the "
                      "scores that keep an upper one are no convex set",
                      number, upper, shape.classification.class_count()));
    }
  }
}

/// Of one score a probability is a bound on it, log(p / (1 - p)), and of two scores one on their difference. Of K > 2
/// it is p_c >= p where every other class has z_c - z_k >= log(p / (1 - p)) + log(K - 1):
///
///     1 / p_c = 1 + sum_k exp(-(z_c - z_k)) <= 1 + (K - 1) exp(-log(p / (1 - p))) / (K - 1) = 1 / p.
///
/// That is sufficient, and necessary where the others are equal.
std::vector<OutputForm> forms_of_probability(const OutputBound& bound, std::size_t number, const NamedNetwork& shape) {
  check_probabilities(bound, number, shape);
  const NamedOutput named = output_of(bound.parts.front(), number, shape);
  const Index outputs = static_cast<Index>(shape.target_names.size());
  const auto to_scores = [](double p) { return p <= 0 ? -kInfinity : p >= 1 ? kInfinity : log_odds(p); };
  Vector lower = bound.lower.unaryExpr(to_scores);
  Vector upper = bound.upper.unaryExpr(to_scores);
  const auto form = [&](const Vector& coefficients, bool negated, const std::string& name) {
    return OutputForm{coefficients, negated ? Vector(-upper) : lower, negated ? Vector(-lower) : upper, name};
  };
  if (outputs == 1) return {form(Vector::Ones(1), named.sign < 0, "log-odds of " + shape.target_names.front())};
  lower.array() += std::log(static_cast<double>(outputs - 1));
  std::vector<OutputForm> forms;
  for (Index other = 0; other < outputs; ++other) {
    if (other == named.output) continue;
    // The later class minus the earlier one, so that bounds on the same difference meet.
    const auto [first, second] = std::minmax(named.output, other);
    const auto name = [&](Index i) { return shape.target_names[static_cast<std::size_t>(i)]; };
    forms.push_back(form(Vector::Unit(outputs, second) - Vector::Unit(outputs, first), other == second,
                         fmt::format("log-odds of {} to {}", name(second), name(first))));
  }
  return forms;
}

std::vector<OutputForm> output_forms(const OutputBound& bound, std::size_t number, const NamedNetwork& shape) {
  if (is_probability(bound, shape)) return forms_of_probability(bound, number, shape);
  return {form_of_sum(bound, number, shape)};
}

double at(const Vector& values, Index point) { return values(values.size() == 1 ? 0 : point); }

/// The bound at its points, which begin at column `first`.
template <class Bounds>
void narrow(const OutputForm& form, std::size_t number, Index first, Index count, Bounds&& lower, Bounds&& upper) {
  for (Index i = 0; i < count; ++i) {
    lower(first + i) = std::max(lower(first + i), at(form.lower, i));
    upper(first + i) = std::min(upper(first + i), at(form.upper, i));
    if (lower(first + i) <= upper(first + i)) continue;
    throw std::invalid_argument(fmt::format("outputs[{}] contradicts itself or another: {} at least {} and at most {}",
                                            number, form.name, lower(first + i), upper(first + i)));
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

BoundedPoints bounded_points(const Constraints& constraints, const NamedNetwork& shape, const Matrix& samples) {
  BoundedPoints points;
  points.inputs = samples;
  if (constraints.outputs.empty()) return points;
  Index count = samples.cols();
  for (const OutputBound& bound : constraints.outputs) count += bound.points.values.rows();
  points.inputs.conservativeResize(shape.network.inputs(), count);
  const auto targets = static_cast<Index>(shape.target_names.size());
  points.lower.setConstant(targets, count, -kInfinity);
  points.upper.setConstant(targets, count, kInfinity);
  Index next = samples.cols();
  for (std::size_t i = 0; i < constraints.outputs.size(); ++i) {
    const OutputBound& bound = constraints.outputs[i];
    const Index first = bound.at_samples() ? 0 : next;
    const Index own = bound.at_samples() ? samples.cols() : bound.points.values.rows();
    if (!bound.at_samples()) {
      points.inputs.middleCols(next, own) = select_columns(bound.points, shape.input_names);
      next += own;
    }
    for (const OutputForm& form : output_forms(bound, i, shape)) {
      if (form.coefficients.size() == 1 ? form.coefficients(0) == 1 : bound.is_box() && !is_probability(bound, shape)) {
        Index row = 0;
        form.coefficients.maxCoeff(&row);
        narrow(form, i, first, own, points.lower.row(row), points.upper.row(row));
        continue;
      }
      const auto same = std::find_if(points.terms.begin(), points.terms.end(),
                                     [&](const OutputTerm& term) { return term.coefficients == form.coefficients; });
      OutputTerm& term = same == points.terms.end() ? points.terms.emplace_back() : *same;
      if (term.coefficients.size() == 0) {
        term = {form.coefficients, Vector::Constant(count, -kInfinity), Vector::Constant(count, kInfinity)};
      }
      narrow(form, i, first, own, term.lower, term.upper);
    }
  }
  if (compares_outputs(shape) && has_probabilities(shape)) points.lower = points.upper = Matrix();  // terms alone
  return points;
}

// Where lower and upper are equal, or nearly, no margin keeps rounding out: such a bound is kept to 1e-9 of the size of
// what is summed up to the output, |W_L| h + |b_L| in raw units, and to 1e-9 of a probability.
double output_slack(const OutputBound& bound, std::size_t number, const NamedNetwork& shape, const Model& model,
                    const Matrix& samples) {
  constexpr double kTolerance = 1e-9;
  const Matrix inputs = bound.at_samples() ? samples : select_columns(bound.points, shape.input_names);
  const Matrix outputs = model.predict(inputs);
  const std::vector<OutputForm> forms = output_forms(bound, number, shape);
  Vector values, tolerances;
  if (is_probability(bound, shape)) {
    const NamedOutput named = *named_output(shape, bound.parts.front().target);
    const Index row = outputs.rows() > 1 ? named.output : named.sign > 0 ? 1 : 0;
    values = class_probabilities(shape.classification, outputs).row(row).transpose();
    tolerances = Vector::Constant(inputs.cols(), kTolerance);
  } else {
    values = outputs.transpose() * forms.front().coefficients;
    tolerances = kTolerance * summed_sizes(model, inputs).transpose() * forms.front().coefficients.cwiseAbs();
  }
  double slack = kInfinity;
  for (Index i = 0; i < values.size(); ++i) {
    const double lower = at(bound.lower, i);
    const double upper = at(bound.upper, i);
    if (!(lower <= upper)) {
      fail(fmt::format("outputs[{}] contradicts itself: {} at least {} and at most {}", number, description(bound),
                       lower, upper));
    }
    const double room = upper - lower <= 2 * tolerances(i) ? tolerances(i) : 0;
    slack = std::min({slack, values(i) - lower + room, upper - values(i) + room});
  }
  return slack;
}

}  // namespace relufit
