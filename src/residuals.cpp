#include "residuals.h"

#include <algorithm>
#include <cmath>

namespace relufit {

FamilyNorms& FamilyNorms::operator+=(const FamilyNorms& other) {
  gap += other.gap;
  copy += other.copy;
  image += other.image;
  multiplier += other.multiplier;
  count += other.count;
  return *this;
}

ResidualSums& ResidualSums::operator+=(const ResidualSums& other) {
  pair += other.pair;
  product += other.product;
  output += other.output;
  weight += other.weight;
  return *this;
}

Residuals::Residuals(const ResidualSums& sums, const Penalties& penalties, Index samples)
    : pair_(relative(sums.pair, penalties.pair)),
      product_(relative(sums.product, penalties.product)),
      output_(relative(sums.output, penalties.output)),
      weight_(relative(sums.weight, penalties.weight * static_cast<double>(samples))) {}

Residuals::Family Residuals::relative(const FamilyNorms& norms, double penalty) {
  const double absolute = std::sqrt(norms.count);
  const double gap = std::sqrt(norms.gap);
  if (gap == 0) return {};
  return {gap / (absolute + std::sqrt(std::max(norms.copy, norms.image))),
          penalty * gap / (absolute + penalty * std::sqrt(norms.multiplier))};
}

double Residuals::primal() const { return std::max({pair_.primal, product_.primal, output_.primal, weight_.primal}); }
double Residuals::dual() const { return std::max({pair_.dual, product_.dual, output_.dual, weight_.dual}); }

Penalties Residuals::balanced(const Penalties& penalties) const {
  const auto balance = [](const Family& family, double penalty) {
    if (family.primal == 0 || family.dual == 0) return penalty;
    const double factor = std::sqrt(family.primal / family.dual);
    return factor > 0.2 && factor < 5 ? penalty : penalty * std::clamp(factor, 0.1, 10.0);
  };
  return {balance(pair_, penalties.pair), balance(product_, penalties.product), balance(output_, penalties.output),
          balance(weight_, penalties.weight)};
}

}  // namespace relufit
