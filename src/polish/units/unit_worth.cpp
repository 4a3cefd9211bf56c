#include "polish/units/unit_worth.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/infinity.h"

namespace relufit {

UnitCone UnitCone::whole(Index incoming, Index outgoing) {
  return {Vector::Constant(incoming, -kInfinity), Vector::Constant(incoming, kInfinity),
          Vector::Constant(outgoing, -kInfinity), Vector::Constant(outgoing, kInfinity)};
}

FreeUnit UnitWorth::at(const Vector& weights, double bias) const {
  FreeUnit unit{weights, bias, {}, 0, weights.transpose() * inputs_};
  unit.arguments.array() += bias;
  unit.output = cone_.outgoing(-slopes_ * values(unit));
  unit.worth = unit.output.norm();
  if (unit.worth > 0) unit.output /= unit.worth;
  return unit;
}

Vector UnitWorth::values(const FreeUnit& unit) const {
  Matrix values = unit.arguments;
  evaluate(activation_, unit.arguments, values);
  return values.transpose();
}

FreeUnit UnitWorth::improved(FreeUnit unit, const AscentSteps& steps) const {
  double step = steps.first;
  for (int i = 0; i < steps.most && step > steps.least && unit.worth > 0; ++i) {
    Matrix derivatives = unit.arguments;
    differentiate(activation_, unit.arguments, derivatives);
    const Vector pull = -(unit.output.transpose() * slopes_).cwiseProduct(derivatives).transpose();
    const Vector by_weights = inputs_ * pull;
    const double size = std::hypot(by_weights.norm(), pull.sum());
    if (!(size > 0)) break;
    const Vector weights = cone_.incoming(unit.weights + (step / size) * by_weights);
    const double bias = unit.bias + (bias_ ? step / size * pull.sum() : 0);
    const double norm = weights.norm();
    FreeUnit tried = norm > 0 ? at(weights / norm, bias / norm) : FreeUnit();
    if (tried.worth > unit.worth) {
      unit = std::move(tried);
      step = std::min(steps.longest, step * steps.longer);
    } else {
      step /= steps.shorter;
    }
  }
  return unit;
}

}  // namespace relufit
