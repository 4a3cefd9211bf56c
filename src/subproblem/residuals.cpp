#include "subproblem/residuals.h"

#include <algorithm>
#include <cmath>

namespace relufit {

FamilyNorms& ResidualSums::of(Family family) {
  switch (family) {
    case Family::pair:
      return pair;
    case Family::product:
      return product;
    case Family::output:
      return output;
    case Family::weight:
      break;
  }
  return weight;
}

namespace {

template <class Part>
void add(FamilyNorms& norms, const Part& state, const Part& reflected, const Part& image) {
  norms.gap += (image - 0.5 * (state + reflected)).squaredNorm();
  norms.copy += 0.25 * (state + reflected).squaredNorm();
  norms.image += image.squaredNorm();
  norms.multiplier += 0.25 * (state - reflected).squaredNorm();
  norms.count += static_cast<double>(state.size());
}

}  // namespace

void add_norms(bool with_output, const Copies& state, const Copies& reflected, const Copies& image, Range samples,
               ResidualSums& sums) {
  const auto visit = [&](Family family, bool by_sample, const auto& s, const auto& r, const auto& x) {
    if (!by_sample) return;
    const auto columns = [&](const auto& part, Index begin) { return part.middleCols(begin, samples.size); };
    add(sums.of(family), columns(s, samples.begin), columns(r, samples.begin), columns(x, 0));
  };
  for_each_part(with_output, visit, state, reflected, image);
}

void add_shared_norms(bool with_output, const Copies& state, const Copies& reflected, const Copies& image,
                      ResidualSums& sums) {
  const auto visit = [&](Family family, bool by_sample, const auto& s, const auto& r, const auto& x) {
    if (!by_sample) add(sums.of(family), s, r, x);
  };
  for_each_part(with_output, visit, state, reflected, image);
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
