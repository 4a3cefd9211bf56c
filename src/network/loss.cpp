#include "relufit/loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/refusal.h"

namespace relufit {

namespace {

using LossKind = Loss::Kind;

constexpr Loss kAll[] = {Loss::exact,         Loss::squared,  Loss::absolute, Loss::huber(1),
                         Loss::quantile(0.5), Loss::logistic, Loss::hinge,    Loss::cross_entropy};

// A Newton step this small leaves an error of its square, at most: below rounding.
constexpr double kLastStep = 1e-8;
constexpr int kMostSteps = 1000;

double sign_of_class(double y) { return 2 * y - 1; }

/// 1 / (1 + exp(-z)) without overflow.
double sigmoid(double z) {
  const double e = std::exp(-std::abs(z));
  return (z >= 0 ? 1 : e) / (1 + e);
}

// ---- Values, z one output and y its target.

double logistic_value(double z, double y) {
  // y max(-z, 0) + (1 - y) max(z, 0) = max(z, 0) - y z, without the cancellation.
  return std::log1p(std::exp(-std::abs(z))) + (z >= 0 ? (1 - y) * z : -y * z);
}

double element_value(const Loss& loss, double z, double y) {
  const double e = z - y;
  switch (loss.kind) {
    case LossKind::squared:
      return 0.5 * e * e;
    case LossKind::absolute:
      return std::abs(e);
    case LossKind::huber:
      return std::abs(e) <= loss.parameter ? 0.5 * e * e : loss.parameter * (std::abs(e) - 0.5 * loss.parameter);
    case LossKind::quantile:
      return e >= 0 ? (1 - loss.parameter) * e : -loss.parameter * e;
    case LossKind::logistic:
      return logistic_value(z, y);
    case LossKind::hinge:
      return std::max(0.0, 1 - sign_of_class(y) * z);
    case LossKind::exact:
    case LossKind::cross_entropy:
      break;
  }
  return 0;
}

double element_gradient(const Loss& loss, double z, double y) {
  const double e = z - y;
  switch (loss.kind) {
    case LossKind::squared:
      return e;
    case LossKind::absolute:
      return e > 0 ? 1 : (e < 0 ? -1 : 0);
    case LossKind::huber:
      return std::clamp(e, -loss.parameter, loss.parameter);
    case LossKind::quantile:
      return e > 0 ? 1 - loss.parameter : (e < 0 ? -loss.parameter : 0);
    case LossKind::logistic:
      return sigmoid(z) - y;
    case LossKind::hinge:
      return sign_of_class(y) * z < 1 ? -sign_of_class(y) : 0;
    case LossKind::exact:
    case LossKind::cross_entropy:
      break;
  }
  return 0;
}

using Column = Eigen::Ref<const Vector>;

double cross_entropy(const Column& z, const Column& y) {
  Index top = 0;
  const double largest = z.maxCoeff(&top);
  double others = 0;
  double value = 0;
  for (Index i = 0; i < z.size(); ++i) {
    if (i != top) others += std::exp(z(i) - largest);
    value += y(i) * (largest - z(i));
  }
  return value + std::log1p(others);
}

// ---- Proximal maps: the minimizer of t loss(z, y) + 1/2 (z - v)^2.

double soft_threshold(double value, double below, double above) {
  if (value > above) return value - above;
  return value < -below ? value + below : 0;
}

double prox_huber(double delta, double v, double y, double t) {
  const double e = v - y;
  if (std::abs(e) <= delta * (1 + t)) return y + e / (1 + t);
  return v - std::copysign(t * delta, e);
}

double prox_hinge(double v, double y, double t) {
  const double margin = sign_of_class(y) * v;
  if (margin >= 1) return v;
  return sign_of_class(y) * std::min(1.0, margin + t);
}

/// The root of z + t sigmoid(z) = c, which is at most 0 if c <= t/2. There the left side is convex and increasing:
/// Newton's method from a point right of the root decreases to it.
double nonpositive_logistic_root(double c, double t) {
  double z = std::min(c, 0.0);
  for (int i = 0; i < kMostSteps; ++i) {
    const double s = sigmoid(z);
    const double step = (z - c + t * s) / (1 + t * s * (1 - s));
    z -= step;
    if (step <= kLastStep) break;
  }
  return z;
}

double prox_logistic(double v, double y, double t) {
  const double c = v + t * y;
  const double mirrored = t * (1 - y) - v;  // of -z: sigmoid(-z) = 1 - sigmoid(z)
  return c <= mirrored ? nonpositive_logistic_root(c, t) : -nonpositive_logistic_root(mirrored, t);
}

double prox_element(const Loss& loss, double v, double y, double t) {
  switch (loss.kind) {
    case LossKind::exact:
      return y;
    case LossKind::squared:
      return (v + t * y) / (1 + t);
    case LossKind::absolute:
      return y + soft_threshold(v - y, t, t);
    case LossKind::huber:
      return prox_huber(loss.parameter, v, y, t);
    case LossKind::quantile:
      return y + soft_threshold(v - y, t * loss.parameter, t * (1 - loss.parameter));
    case LossKind::logistic:
      return prox_logistic(v, y, t);
    case LossKind::hinge:
      return prox_hinge(v, y, t);
    case LossKind::cross_entropy:
      break;
  }
  return v;
}

/// The Wright function: w + log(w) = x, w > 0. Fourth-order iteration of Fritsch, Shafer and Crowley (1973), from the
/// first approximations of Lawrence, Corless and Jeffrey (2012), for which two steps reach machine precision.
double wright_omega(double x) {
  double w = x < -2 ? std::exp(x) : (x < 1 ? std::exp(2 * (x - 1) / 3) : x - std::log(x) + std::log(x) / x);
  if (x < -40) return w;  // w + log(w) = x to rounding, and log(w) may be that of 0
  for (int i = 0; i < 2; ++i) {
    const double r = x - w - std::log(w);
    const double q = 2 * (1 + w) * (1 + w + 2 * r / 3);
    w *= 1 + r / (1 + w) * (q - r) / (q - 2 * r);
  }
  return w;
}

/// Stationarity is z + t p = c, c = v + t y, p the softmax of z. With m = log sum exp(z), t p_i = omega_i solves
/// omega_i + log(omega_i) = c_i + log(t) - m, and m is where the omega_i sum to t: their sum is convex and decreasing
/// in m, so Newton's method from the left increases to the root. The start is on the left since m = log sum exp(c - t
/// p)
/// >= log sum exp(c) - t max softmax(c), the function of p being convex.
void prox_cross_entropy(const Column& v, const Column& y, double t, Eigen::Ref<Vector> z) {
  z = v + t * y;  // c
  const double largest = z.maxCoeff();
  double sum = 0;
  for (Index i = 0; i < z.size(); ++i) sum += std::exp(z(i) - largest);
  const double log_t = std::log(t);
  double m = largest + std::log(sum) - t / sum;
  const double last_step = std::max(kLastStep, 1e-15 * t);
  for (int i = 0; i < kMostSteps; ++i) {
    double excess = -t;
    double slope = 0;
    for (Index k = 0; k < z.size(); ++k) {
      const double omega = wright_omega(z(k) + log_t - m);
      excess += omega;
      slope += omega / (1 + omega);
    }
    const double step = excess / slope;
    m += step;
    if (step <= last_step) break;
  }
  for (Index k = 0; k < z.size(); ++k) {
    const double omega = wright_omega(z(k) + log_t - m);
    // The same number in two ways; the difference of two large ones would not be accurate.
    z(k) = omega < 1 ? z(k) - omega : m + std::log(omega) - log_t;
  }
}

double weight_of(const Eigen::Ref<const Vector>& sample_weights, Index sample) {
  return sample_weights.size() > 0 ? sample_weights(sample) : 1.0;
}

}  // namespace

const char* to_string(const Loss& loss) {
  switch (loss.kind) {
    case LossKind::exact:
      return "exact";
    case LossKind::squared:
      return "squared";
    case LossKind::absolute:
      return "absolute";
    case LossKind::huber:
      return "huber";
    case LossKind::quantile:
      return "quantile";
    case LossKind::logistic:
      return "logistic";
    case LossKind::hinge:
      return "hinge";
    case LossKind::cross_entropy:
      return "cross-entropy";
  }
  return "unknown";
}

Loss loss_from(const std::string& name, double parameter) {
  std::string known;
  for (Loss loss : kAll) {
    if (name == to_string(loss)) {
      if (has_parameter(loss)) loss.parameter = parameter;
      check(loss);
      return loss;
    }
    known += (known.empty() ? "" : ", ") + std::string(to_string(loss));
  }
  fail(fmt::format("loss: '{}', expected one of {}", name, known));
}

bool has_parameter(const Loss& loss) { return loss.kind == LossKind::huber || loss.kind == LossKind::quantile; }

bool is_for_classes(const Loss& loss) {
  return loss.kind == LossKind::logistic || loss.kind == LossKind::hinge || loss.kind == LossKind::cross_entropy;
}

void check(const Loss& loss) {
  const double p = loss.parameter;
  if (loss.kind == LossKind::huber && !(p > 0 && std::isfinite(p)))
    fail(fmt::format("huber delta: {}, expected a number > 0", p));
  if (loss.kind == LossKind::quantile && !(p > 0 && p < 1)) {
    fail(fmt::format("quantile tau: {}, expected a number above 0 and below 1", p));
  }
}

void check_targets(const Loss& loss, const Matrix& targets) {
  if (!is_for_classes(loss)) return;
  const bool probabilities = loss.kind != LossKind::hinge;
  for (Index j = 0; j < targets.cols(); ++j) {
    for (Index i = 0; i < targets.rows(); ++i) {
      const double y = targets(i, j);
      if (probabilities ? y >= 0 && y <= 1 : y == 0 || y == 1) continue;
      fail(fmt::format("targets: {} in row {}, sample {}, expected {} under the {} loss", y, i + 1, j + 1,
                       probabilities ? "a number from 0 to 1" : "0 or 1", to_string(loss)));
    }
  }
  if (loss.kind != LossKind::cross_entropy) return;
  if (targets.rows() < 2) fail("targets: 1 row, expected at least 2 classes under the cross-entropy loss");
  for (Index j = 0; j < targets.cols(); ++j) {
    const double sum = targets.col(j).sum();
    if (std::abs(sum - 1) > 1e-9) fail(fmt::format("targets: sample {} sums to {}, expected 1", j + 1, sum));
  }
}

void check_sample_weights(const Loss& loss, const Vector& sample_weights, Index samples) {
  if (sample_weights.size() == 0) return;
  if (loss == Loss::exact) fail("sample_weights: given, expected none under the exact loss");
  if (sample_weights.size() != samples) {
    fail(fmt::format("sample_weights: {} values, expected {}, one per sample", sample_weights.size(), samples));
  }
  for (Index j = 0; j < samples; ++j) {
    const double weight = sample_weights(j);
    if (std::isfinite(weight) && weight >= 0) continue;
    fail(fmt::format("sample_weights: {} for sample {}, expected a number >= 0", weight, j + 1));
  }
  if (sample_weights.maxCoeff() == 0) fail("sample_weights: all are 0, expected one above 0");
}

double loss_value(const Loss& loss, const Matrix& outputs, const Matrix& targets, const Vector& sample_weights) {
  if (loss == Loss::exact) return 0;
  if (loss == Loss::squared && sample_weights.size() == 0) return 0.5 * (outputs - targets).squaredNorm();
  double sum = 0;
  for (Index j = 0; j < outputs.cols(); ++j) {
    double value = 0;
    if (loss.kind == LossKind::cross_entropy) {
      value = cross_entropy(outputs.col(j), targets.col(j));
    } else {
      for (Index i = 0; i < outputs.rows(); ++i) value += element_value(loss, outputs(i, j), targets(i, j));
    }
    sum += weight_of(sample_weights, j) * value;
  }
  return sum;
}

Matrix loss_gradient(const Loss& loss, const Matrix& outputs, const Matrix& targets, const Vector& sample_weights) {
  Matrix gradient(outputs.rows(), outputs.cols());
  for (Index j = 0; j < outputs.cols(); ++j) {
    if (loss.kind == LossKind::cross_entropy) {
      gradient.col(j) = (outputs.col(j).array() - outputs.col(j).maxCoeff()).exp();
      gradient.col(j) = gradient.col(j) / gradient.col(j).sum() - targets.col(j);
    } else {
      for (Index i = 0; i < outputs.rows(); ++i) {
        gradient(i, j) = element_gradient(loss, outputs(i, j), targets(i, j));
      }
    }
    gradient.col(j) *= weight_of(sample_weights, j);
  }
  return gradient;
}

double error_rate(const Loss& loss, const Matrix& outputs, const Matrix& targets) {
  if (loss.kind != LossKind::cross_entropy) {
    const auto wrong = (outputs.array() > 0) != (targets.array() > 0.5);
    return wrong.cast<double>().mean();
  }
  Index wrong = 0;
  for (Index j = 0; j < outputs.cols(); ++j) {
    Index chosen = 0;
    Index right = 0;
    outputs.col(j).maxCoeff(&chosen);
    targets.col(j).maxCoeff(&right);
    wrong += chosen != right ? 1 : 0;
  }
  return static_cast<double>(wrong) / static_cast<double>(outputs.cols());
}

void prox_loss(const Loss& loss, double penalty, const Eigen::Ref<const Matrix>& targets,
               const Eigen::Ref<const Vector>& sample_weights, const Eigen::Ref<const Matrix>& in,
               Eigen::Ref<Matrix> out) {
  for (Index j = 0; j < in.cols(); ++j) {
    const double t = weight_of(sample_weights, j) / penalty;
    if (t == 0) {
      out.col(j) = in.col(j);
    } else if (loss.kind == LossKind::cross_entropy) {
      prox_cross_entropy(in.col(j), targets.col(j), t, out.col(j));
    } else {
      for (Index i = 0; i < in.rows(); ++i) out(i, j) = prox_element(loss, in(i, j), targets(i, j), t);
    }
  }
}

}  // namespace relufit
