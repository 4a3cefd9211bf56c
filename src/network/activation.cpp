#include "relufit/activation.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

#include "files/text.h"

namespace relufit {

using Kind = Activation::Kind;

const char* to_string(const Activation& activation) {
  switch (activation.kind) {
    case Kind::relu:
      return "relu";
    case Kind::leaky_relu:
      return "leaky-relu";
    case Kind::absolute:
      return "absolute";
    case Kind::clipped_relu:
      return "clipped-relu";
    case Kind::hard_tanh:
      return "hard-tanh";
    case Kind::maxout:
      return "maxout";
  }
  return "unknown";
}

Activation activation_from(const std::string& name, std::optional<double> parameter) {
  for (Activation activation : {Activation::relu, Activation::leaky_relu(0.01), Activation::absolute,
                                Activation::clipped_relu(1), Activation::hard_tanh, Activation::maxout}) {
    if (name != to_string(activation)) continue;
    if (parameter && !has_parameter(activation)) {
      throw std::invalid_argument(fmt::format("activation: a parameter with {}, which has none", name));
    }
    activation.parameter = parameter.value_or(activation.parameter);
    check(activation);
    return activation;
  }
  throw std::invalid_argument(fmt::format(
      "activation: {}, expected relu, leaky-relu, absolute, clipped-relu, hard-tanh or maxout", detail::shown(name)));
}

bool has_parameter(const Activation& activation) {
  return activation.kind == Kind::leaky_relu || activation.kind == Kind::clipped_relu;
}

void check(const Activation& activation) {
  const double c = activation.parameter;
  if (activation.kind == Kind::leaky_relu && !(c > -1 && c < 1)) {
    throw std::invalid_argument(fmt::format("activation: the slope {} of leaky-relu, expected a number in (-1, 1)", c));
  }
  if (activation.kind == Kind::clipped_relu && !(std::isfinite(c) && c > 0)) {
    throw std::invalid_argument(fmt::format("activation: the ceiling {} of clipped-relu, expected a number > 0", c));
  }
}

Index arguments_per_unit(const Activation& activation) { return activation.kind == Kind::maxout ? 2 : 1; }

double value(const Activation& activation, double z) {
  switch (activation.kind) {
    case Kind::relu:
      return z < 0 ? 0 : z;
    case Kind::leaky_relu:
      return z < 0 ? activation.parameter * z : z;
    case Kind::absolute:
      return std::abs(z);
    case Kind::clipped_relu:
      return z < 0 ? 0 : z > activation.parameter ? activation.parameter : z;
    case Kind::hard_tanh:
    case Kind::maxout:
      break;
  }
  return z < -1 ? -1 : z > 1 ? 1 : z;
}

void evaluate(const Activation& activation, const Eigen::Ref<const Matrix>& arguments, Eigen::Ref<Matrix> values) {
  // Not cwiseMax, which may turn NaN (from an overflow upstream) into a plausible number.
  if (activation.kind == Kind::relu) {
    values = (arguments.array() < 0).select(0, arguments);
  } else if (activation.kind == Kind::maxout) {
    values = arguments.topRows(values.rows()).binaryExpr(arguments.bottomRows(values.rows()), [](double a, double b) {
      return a > b || std::isnan(a) ? a : b;
    });
  } else {
    values = arguments.unaryExpr([&](double z) { return value(activation, z); });
  }
}

double slope(const Activation& activation, double z) {
  switch (activation.kind) {
    case Kind::relu:
      return z > 0 ? 1 : 0;
    case Kind::leaky_relu:
      return z > 0 ? 1 : activation.parameter;
    case Kind::absolute:
      return z > 0 ? 1 : -1;
    case Kind::clipped_relu:
      return z > 0 && z <= activation.parameter ? 1 : 0;
    case Kind::hard_tanh:
    case Kind::maxout:
      break;
  }
  return z > -1 && z <= 1 ? 1 : 0;
}

void differentiate(const Activation& activation, const Eigen::Ref<const Matrix>& arguments, Eigen::Ref<Matrix> slopes) {
  if (activation.kind == Kind::relu) {
    slopes = (arguments.array() > 0).cast<double>();
    return;
  }
  if (activation.kind != Kind::maxout) {
    slopes = arguments.unaryExpr([&](double z) { return slope(activation, z); });
    return;
  }
  const Index units = arguments.rows() / 2;
  slopes.topRows(units) = (arguments.topRows(units).array() > arguments.bottomRows(units).array()).cast<double>();
  slopes.bottomRows(units) = 1 - slopes.topRows(units).array();
}

bool is_increasing(const Activation& activation) {
  return activation.kind != Kind::absolute && !(activation.kind == Kind::leaky_relu && activation.parameter < 0);
}

bool is_convex(const Activation& activation) {
  return activation.kind == Kind::relu || activation.kind == Kind::leaky_relu || activation.kind == Kind::absolute ||
         activation.kind == Kind::maxout;
}

bool is_homogeneous(const Activation& activation) { return is_convex(activation); }

ActivationLift lift_of(const Activation& activation) {
  const double c = activation.parameter;
  switch (activation.kind) {
    case Kind::relu:
      return {0, {{0, 1, 0}}};
    case Kind::leaky_relu:
      return {0, {{0, 1, -c}}};
    case Kind::absolute:
      return {0, {{0, 1, 1}}};
    case Kind::clipped_relu:
      return {0, {{0, 1, 0}, {c, -1, 0}}};
    case Kind::maxout: {
      const double half = std::sqrt(0.5);
      return {0, {{0, half, half}}, half};
    }
    case Kind::hard_tanh:
      break;
  }
  return {-1, {{-1, 1, 0}, {1, -1, 0}}};
}

}  // namespace relufit
