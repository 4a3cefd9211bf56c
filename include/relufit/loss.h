/// \file
/// Losses: functions of the outputs Z (outputs x samples) for targets Y, convex in Z,
///
///     sum_j w_j loss(z_j, y_j),     w_j >= 0 the weight of sample j
///
/// by value, gradient and proximal map. With e = z - y, element-wise and summed over the outputs of a sample but for
/// the cross-entropy, whose outputs belong together:
///
///     squared        1/2 e^2
///     absolute       |e|
///     huber          1/2 e^2 where |e| <= delta,  delta (|e| - delta/2) elsewhere
///     quantile       tau max(-e, 0) + (1 - tau) max(e, 0): at the minimum z is the tau-quantile of y
///     logistic       log(1 + exp(z)) - y z                      y in [0, 1], the probability of class 1
///     hinge          max(0, 1 - s z),  s = 2 y - 1              y 0 or 1
///     cross-entropy  log(sum_i exp(z_i)) - y'z                  y >= 0, 1'y = 1: probabilities of the classes
///
/// and exact: z = y.
#pragma once

#include <string>

#include "relufit/network.h"

namespace relufit {

/// A loss with its parameter: Loss::squared, Loss::huber(1.5), ...
struct Loss {
  enum class Kind { exact, squared, absolute, huber, quantile, logistic, hinge, cross_entropy };

  Kind kind = Kind::exact;
  double parameter = 0;  ///< huber: delta > 0, in units of the targets; quantile: tau in (0, 1); others: 0

  static const Loss exact;    ///< outputs equal targets (a ReLU output needs Z = Y where Y > 0 and Z <= 0 where Y = 0)
  static const Loss squared;  ///< (ReLU output: its convex upper bound, exact where the sign of Z is that of Y)
  static const Loss absolute;
  static constexpr Loss huber(double delta) { return {Kind::huber, delta}; }
  static constexpr Loss quantile(double tau) { return {Kind::quantile, tau}; }
  static const Loss logistic;
  static const Loss hinge;
  static const Loss cross_entropy;

  bool operator==(const Loss&) const = default;
};

inline constexpr Loss Loss::exact{Kind::exact, 0};
inline constexpr Loss Loss::squared{Kind::squared, 0};
inline constexpr Loss Loss::absolute{Kind::absolute, 0};
inline constexpr Loss Loss::logistic{Kind::logistic, 0};
inline constexpr Loss Loss::hinge{Kind::hinge, 0};
inline constexpr Loss Loss::cross_entropy{Kind::cross_entropy, 0};

/// Name as it stands in model files: "exact", "squared", "absolute", "huber", "quantile", "logistic", "hinge" or
/// "cross-entropy".
const char* to_string(const Loss& loss);

/// Inverse of to_string, with the parameter of the losses that have one (ignored for others). Throws
/// std::invalid_argument for any other name, and for a parameter out of range.
Loss loss_from(const std::string& name, double parameter = 0);

/// Whether the loss has a parameter.
bool has_parameter(const Loss& loss);

/// Whether targets are classes (logistic, hinge, cross-entropy): outputs are then scores, of no unit.
bool is_for_classes(const Loss& loss);

/// Throws std::invalid_argument, naming the parameter, where it is out of range.
void check(const Loss& loss);

/// Throws std::invalid_argument, naming the first value, for targets that the loss is not defined for.
void check_targets(const Loss& loss, const Matrix& targets);

/// Throws std::invalid_argument unless there are no weights, or `samples` of them, all finite and >= 0, not all 0, and
/// the loss is not exact.
void check_sample_weights(const Loss& loss, const Vector& sample_weights, Index samples);

/// Sum over the samples. Empty weights are ones. The exact loss is 0 everywhere, being a constraint.
double loss_value(const Loss& loss, const Matrix& outputs, const Matrix& targets, const Vector& sample_weights = {});

/// Its gradient (outputs x samples); where the loss has none, the subgradient of least magnitude.
Matrix loss_gradient(const Loss& loss, const Matrix& outputs, const Matrix& targets, const Vector& sample_weights = {});

/// Share of outputs on the wrong side, in [0, 1]: of samples whose largest output is not that of the largest target
/// (cross-entropy), of outputs whose sign is not that of y - 1/2 (logistic, hinge). For losses of classes.
double error_rate(const Loss& loss, const Matrix& outputs, const Matrix& targets);

/// The proximal map of the sum: the minimizer over Z of  sum_j w_j loss(z_j, y_j) + penalty/2 ||Z - in||^2. `out` has
/// the shape of `in` and may not overlap it; `sample_weights` has one entry per column, or none: ones. Allocates
/// nothing. Formulas: docs/method.md, section 6.
void prox_loss(const Loss& loss, double penalty, const Eigen::Ref<const Matrix>& targets,
               const Eigen::Ref<const Vector>& sample_weights, const Eigen::Ref<const Matrix>& in,
               Eigen::Ref<Matrix> out);

}  // namespace relufit
