#include "certificate/candidate.h"

#include <algorithm>
#include <cmath>

#include "linear_algebra/products.h"
#include "network/units.h"
#include "relufit/fit.h"
#include "relufit/polish.h"

namespace relufit {

namespace {

constexpr double kMissing = 1 + 1e-3;     // M(R) / ridge from which on a unit is added
constexpr double kRoughTolerance = 1e-6;  // of polishing while units are added
constexpr double kNoWeight = 1e-9;        // product of a unit's norms, relative to the largest: it is left out
constexpr double kJoined = 1e-5;          // what joining units may raise the objective by, relatively
constexpr double kDistances[] = {0.3, 0.1, 0.03, 0.01};  // of units to be joined: (w, b) / |w| and v / |v|

Vector effects(const std::vector<Layer>& layers) {
  const Index units = layers[0].weights.rows();
  return layers[0].weights.rowwise().norm().cwiseProduct(
      layers[1].weights.leftCols(units).colwise().norm().transpose());
}

}  // namespace

double Candidate::objective() const { return network_loss(problem_, layers_); }

UnitSearchResult Candidate::search(const DualPoint& dual) const {
  const Layer& hidden = layers_.front();
  Matrix starts(dual.unit.coordinates(), hidden.weights.rows());
  starts.topRows(dual.unit.weights) = product(dual.axes.transpose(), hidden.weights.transpose());
  if (dual.unit.has_bias()) starts.bottomRows(1) = hidden.bias.transpose();
  return find_unit(dual.unit, starts, seed_);
}

bool Candidate::is_missing(const UnitSearchResult& unit) const { return unit.lower > kMissing * problem_.ridge; }

void Candidate::add(const DualPoint& dual, const Vector& direction) {
  const Vector weights = dual.axes * direction.head(dual.unit.weights);
  const double bias = dual.unit.has_bias() ? direction(dual.unit.weights) : 0;
  const Vector pull = dual.unit.value(direction);
  Vector squares = ((weights.transpose() * problem_.inputs).array() + bias).cwiseMax(0.0).square().matrix().transpose();
  if (problem_.sample_weights.size() > 0) squares = squares.cwiseProduct(problem_.sample_weights).eval();
  const double curvature = problem_.loss == Loss::logistic ? 0.25 : 1;
  const double size = std::sqrt((pull.norm() - problem_.ridge) / (curvature * squares.sum()));
  const Index units = problem_.network.widths[1];
  const Index skipped = layers_[1].weights.cols() - units;
  Layer hidden{Matrix(units + 1, weights.size()), Vector(units + 1)};
  hidden.weights << layers_[0].weights, size * weights.transpose();
  hidden.bias << layers_[0].bias, size * bias;
  Layer output{Matrix(pull.size(), units + 1 + skipped), layers_[1].bias};
  output.weights.leftCols(units) = layers_[1].weights.leftCols(units);
  output.weights.col(units) = size * pull.normalized();
  output.weights.rightCols(skipped) = layers_[1].weights.rightCols(skipped);
  layers_ = {hidden, output};
  problem_.network.widths[1] = units + 1;
}

void Candidate::tighten(const std::function<bool()>& is_over) {
  polish(kRoughTolerance, is_over);
  add_missing(is_over);
  for (const double distance : kDistances) {
    if (is_over()) return;
    if (join_units(distance, is_over)) break;
  }
  add_missing(is_over);
}

void Candidate::add_missing(const std::function<bool()>& is_over) {
  double tolerance = kRoughTolerance;
  while (!is_over()) {
    const DualPoint point = dual();
    const UnitSearchResult unit = search(point);
    if (is_missing(unit)) {
      add(point, unit.direction);
    } else if (tolerance == 0) {
      return;
    } else {
      tolerance = 0;
    }
    polish(tolerance, is_over);
  }
}

void Candidate::polish(double tolerance, const std::function<bool()>& is_over) {
  PolishOptions polishing;
  polishing.tolerance = tolerance;
  polishing.threads = threads_;
  polishing.should_stop = is_over;
  layers_ = relufit::polish(problem_, layers_, polishing).layers;
  drop_idle_units();
}

void Candidate::keep(const std::vector<Index>& units) {
  keep_units(layers_, 0, units, problem_.network.widths[1]);
  problem_.network.widths[1] = static_cast<Index>(units.size());
}

/// Units that have come to nothing; one stays.
void Candidate::drop_idle_units() {
  const Vector effect = effects(layers_);
  std::vector<Index> kept;
  for (Index unit = 0; unit < effect.size(); ++unit) {
    if (effect(unit) > kNoWeight * effect.maxCoeff()) kept.push_back(unit);
  }
  if (kept.empty() || static_cast<Index>(kept.size()) == effect.size()) return;
  const Candidate before = *this;
  keep(kept);
  if (objective() > before.objective()) *this = before;
}

/// Units within this distance of one with more effect become one with it: their mean, by effect, with their sum.
/// Whether after polishing the objective is not higher; else nothing is changed.
bool Candidate::join_units(double distance, const std::function<bool()>& is_over) {
  const Vector effect = effects(layers_);
  const Index units = effect.size();
  Matrix incoming(layers_[0].weights.cols() + 1, units);
  incoming << layers_[0].weights.transpose(), layers_[0].bias.transpose();
  incoming *= layers_[0].weights.rowwise().norm().cwiseInverse().asDiagonal();
  Matrix outgoing = layers_[1].weights.leftCols(units);
  outgoing.colwise().normalize();
  std::vector<Index> order(static_cast<std::size_t>(units));
  for (Index unit = 0; unit < units; ++unit) order[static_cast<std::size_t>(unit)] = unit;
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return effect(a) > effect(b); });
  std::vector<Index> heads;
  Matrix sums_in = Matrix::Zero(incoming.rows(), units), sums_out = Matrix::Zero(outgoing.rows(), units);
  Vector sums = Vector::Zero(units);
  for (const Index unit : order) {
    const auto near = std::find_if(heads.begin(), heads.end(), [&](Index head) {
      return (incoming.col(unit) - incoming.col(head)).norm() <= distance &&
             (outgoing.col(unit) - outgoing.col(head)).norm() <= distance;
    });
    const Index head = near == heads.end() ? unit : *near;
    if (near == heads.end()) heads.push_back(unit);
    sums(head) += effect(unit);
    sums_in.col(head) += effect(unit) * incoming.col(unit);
    sums_out.col(head) += effect(unit) * outgoing.col(unit);
  }
  if (static_cast<Index>(heads.size()) == units || !sums_in.allFinite() || !sums_out.allFinite()) return false;
  const Candidate before = *this;
  for (const Index head : heads) {
    const double root = std::sqrt(sums(head)) / sums(head);
    layers_[0].weights.row(head) = root * sums_in.col(head).head(layers_[0].weights.cols()).transpose();
    layers_[0].bias(head) = root * sums_in(layers_[0].weights.cols(), head);
    layers_[1].weights.col(head) = root * sums_out.col(head);
  }
  keep(heads);
  polish(0, is_over);
  if (objective() <= (1 + kJoined) * before.objective()) return true;
  *this = before;
  return false;
}

}  // namespace relufit
