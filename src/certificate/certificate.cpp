#include "relufit/certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/refusal.h"
#include "certificate/dual_point.h"
#include "certificate/unit_search.h"
#include "relufit/fit.h"
#include "relufit/polish.h"

namespace relufit {

namespace {

constexpr double kWorthAdding = 1 + 1e-3;  // M(R) / ridge from which on a unit is added
constexpr double kRoughTolerance = 1e-6;   // of polishing while units are added
constexpr double kNoWeight = 1e-9;         // product of a unit's norms, relative to the largest: it is left out

void check_model(const Model& model) {
  const Network& network = model.network;
  const auto hidden = static_cast<Index>(network.layers().size()) - 1;
  if (hidden != 1) fail(fmt::format("model: {} hidden layers, expected 1: the bound is for these", hidden));
  if (network.activation() != Activation::relu) {
    fail(fmt::format("model: activation {}, expected relu", to_string(network.activation())));
  }
  if (network.output_activation() != OutputActivation::linear) {
    fail(fmt::format("model: output activation {}, expected linear", to_string(network.output_activation())));
  }
  const std::string loss = model.training.loss.empty() ? "squared" : model.training.loss;
  if (loss != to_string(Loss::squared) && loss != to_string(Loss::logistic)) {
    fail(fmt::format("model: loss {}, expected squared or logistic", loss));
  }
  if (loss == to_string(Loss::logistic) && network.output_size() != 1) {
    fail(fmt::format("model: {} outputs with the logistic loss, expected 1", network.output_size()));
  }
}

double chosen_ridge(const Model& model, const CertifyOptions& options) {
  const std::optional<double> ridge = options.ridge ? options.ridge : model.training.ridge;
  if (!ridge) fail("ridge: not recorded in the model, expected it to be given");
  if (!(*ridge > 0 && std::isfinite(*ridge))) {
    fail(fmt::format("ridge: {}, expected a number > 0: without ridge there is no bound", *ridge));
  }
  return *ridge;
}

void check_options(const CertifyOptions& options) {
  const auto require = [](bool holds, const char* name, double value, const char* expected) {
    if (!holds) fail(fmt::format("{}: {}, expected {}", name, value, expected));
  };
  require(options.accuracy > 0 && std::isfinite(options.accuracy), "accuracy", options.accuracy, "a number > 0");
  require(options.time_limit >= 0, "time_limit", options.time_limit, "a number >= 0");
  require(options.tighten >= 0, "tighten", options.tighten, "a number >= 0");
  require(options.threads >= 1, "threads", options.threads, "at least 1");
}

bool has_biases(const Model& model) {
  for (const Layer& layer : model.network.layers()) {
    if (!layer.bias.isZero(0)) return true;
  }
  return !model.input_scaling.offset.isZero(0) || !model.target_scaling.offset.isZero(0);
}

LiftedProblem problem_of(const Model& model, const Dataset& data, double ridge) {
  LiftedProblem problem;
  problem.widths = model.network.widths();
  if (data.inputs.rows() != problem.widths.front()) {
    fail(fmt::format("inputs: {} columns, expected {}", data.inputs.rows(), problem.widths.front()));
  }
  if (data.targets.rows() != problem.widths.back()) {
    fail(fmt::format("targets: {} columns, expected {}", data.targets.rows(), problem.widths.back()));
  }
  problem.inputs = model.input_scaling.apply(data.inputs);
  problem.targets = model.target_scaling.apply(data.targets);
  problem.skip_connections = model.network.skip_connections();
  problem.loss = model.training.loss == to_string(Loss::logistic) ? Loss::logistic : Loss::squared;
  problem.sample_weights = data.sample_weights;
  problem.ridge = ridge * static_cast<double>(data.samples() * data.targets.rows());
  problem.bias = has_biases(model);
  check(problem);
  return problem;
}

/// The network of one hidden layer that the certificate is about, which units may be added to.
class Candidate {
 public:
  Candidate(LiftedProblem problem, std::vector<Layer> layers, const CertifyOptions& options)
      : problem_(std::move(problem)), layers_(std::move(layers)), options_(options) {}

  const LiftedProblem& problem() const { return problem_; }
  const std::vector<Layer>& layers() const { return layers_; }
  double objective() const { return network_loss(problem_, layers_); }
  DualPoint dual() const { return dual_point(problem_, layers_); }

  /// The largest unit that local searches find.
  UnitSearchResult search(const DualPoint& dual) const {
    const Layer& hidden = layers_.front();
    Matrix starts(dual.unit.coordinates(), hidden.weights.rows());
    starts.topRows(dual.unit.weights) = dual.axes.transpose() * hidden.weights.transpose();
    if (dual.unit.has_bias()) starts.bottomRows(1) = hidden.bias.transpose();
    return find_unit(dual.unit, starts, options_.seed);
  }

  /// With size s^2 = (M(R) - ridge) / sum_j omega_j h_j^2, the least objective along this unit, h its values (logistic
  /// loss: of a bound on the objective, its curvature being at most 1/4).
  void add(const DualPoint& dual, const Vector& direction) {
    const Vector weights = dual.axes * direction.head(dual.unit.weights);
    const double bias = dual.unit.has_bias() ? direction(dual.unit.weights) : 0;
    const Vector pull = dual.unit.value(direction);
    Vector values = ((weights.transpose() * problem_.inputs).array() + bias).cwiseMax(0.0).matrix().transpose();
    values = values.cwiseAbs2();
    if (problem_.sample_weights.size() > 0) values = values.cwiseProduct(problem_.sample_weights);
    const double curvature = problem_.loss == Loss::logistic ? 0.25 : 1;
    const double size = std::sqrt((pull.norm() - problem_.ridge) / (curvature * values.sum()));
    const Index units = problem_.widths[1];
    Layer hidden{Matrix(units + 1, weights.size()), Vector(units + 1)};
    hidden.weights << layers_[0].weights, size * weights.transpose();
    hidden.bias << layers_[0].bias, size * bias;
    Layer output{Matrix(pull.size(), layers_[1].weights.cols() + 1), layers_[1].bias};
    output.weights << layers_[1].weights.leftCols(units), size * pull.normalized(),
        layers_[1].weights.rightCols(layers_[1].weights.cols() - units);
    layers_ = {hidden, output};
    problem_.widths[1] = units + 1;
  }

  void polish(double tolerance, const std::function<bool()>& should_stop) {
    PolishOptions polishing;
    polishing.tolerance = tolerance;
    polishing.threads = options_.threads;
    polishing.should_stop = should_stop;
    layers_ = relufit::polish(problem_, layers_, polishing).layers;
    drop_idle_units();
  }

 private:
  /// Units that have come to nothing; one stays.
  void drop_idle_units() {
    const Index units = problem_.widths[1];
    const Vector effects = layers_[0].weights.rowwise().norm().cwiseProduct(
        layers_[1].weights.leftCols(units).colwise().norm().transpose());
    std::vector<Index> kept;
    for (Index unit = 0; unit < units; ++unit) {
      if (effects(unit) > kNoWeight * effects.maxCoeff()) kept.push_back(unit);
    }
    if (kept.empty() || static_cast<Index>(kept.size()) == units) return;
    LiftedProblem problem = problem_;
    problem.widths[1] = static_cast<Index>(kept.size());
    std::vector<Layer> layers = layers_;
    layers[0] = {layers_[0].weights(kept, Eigen::all), layers_[0].bias(kept)};
    for (Index column = units; column < layers_[1].weights.cols(); ++column) kept.push_back(column);
    layers[1].weights = layers_[1].weights(Eigen::all, kept).eval();
    if (network_loss(problem, layers) > network_loss(problem_, layers_)) return;
    problem_ = std::move(problem);
    layers_ = std::move(layers);
  }

  LiftedProblem problem_;
  std::vector<Layer> layers_;
  const CertifyOptions& options_;
};

/// Adds units, each followed by polishing, until local searches find none that is missing, or the time is over.
void tighten(Candidate& candidate, const std::function<bool()>& is_over) {
  candidate.polish(kRoughTolerance, is_over);
  double tolerance = kRoughTolerance;
  while (!is_over()) {
    const DualPoint dual = candidate.dual();
    const UnitSearchResult unit = candidate.search(dual);
    if (unit.lower > kWorthAdding * candidate.problem().ridge) {
      candidate.add(dual, unit.direction);
    } else if (tolerance == 0) {
      return;
    } else {
      tolerance = 0;
    }
    candidate.polish(tolerance, is_over);
  }
}

CertificateStatus status_of(UnitSearchEnd end) {
  switch (end) {
    case UnitSearchEnd::time_limit:
      return CertificateStatus::time_limit;
    case UnitSearchEnd::cell_limit:
      return CertificateStatus::cell_limit;
    case UnitSearchEnd::interrupted:
      return CertificateStatus::interrupted;
    case UnitSearchEnd::accurate:
      break;
  }
  return CertificateStatus::complete;
}

struct Bound {
  DualPoint dual;
  UnitSearchResult unit;
  double lower = 0;
};

Bound bound_of(const Candidate& candidate, const CertifyOptions& options) {
  Bound bound{candidate.dual(), {}};
  UnitSearchOptions search;
  search.accuracy = options.accuracy;
  search.enough = bound.dual.enough();
  search.time_limit = options.time_limit;
  search.threads = options.threads;
  search.should_stop = options.should_stop;
  bound.unit = bound_unit(bound.dual.unit, candidate.search(bound.dual), search);
  bound.lower = bound.dual.lower_bound(bound.unit.upper);
  return bound;
}

}  // namespace

const char* to_string(CertificateStatus status) {
  switch (status) {
    case CertificateStatus::complete:
      return "complete";
    case CertificateStatus::time_limit:
      return "time limit";
    case CertificateStatus::cell_limit:
      return "cell limit";
    case CertificateStatus::interrupted:
      break;
  }
  return "interrupted";
}

Certificate certify(const Model& model, const Dataset& data, const CertifyOptions& options) {
  const Clock clock;
  check_model(model);
  check_options(options);
  Certificate result;
  result.ridge = chosen_ridge(model, options);
  Candidate candidate(problem_of(model, data, result.ridge), model.network.layers(), options);
  const double given = candidate.objective();
  const auto stop_asked = [&] { return options.should_stop && options.should_stop(); };
  const auto is_over = [&, limit = options.tighten] { return clock.seconds() > limit || stop_asked(); };
  if (options.tighten > 0) tighten(candidate, is_over);
  Bound bound = bound_of(candidate, options);
  result.cells = bound.unit.cells;
  const double ridge = candidate.problem().ridge;
  // Branch and bound may have found a unit that local searches have not.
  while (bound.unit.lower > kWorthAdding * ridge && !is_over()) {
    candidate.add(bound.dual, bound.unit.direction);
    tighten(candidate, is_over);
    Bound next = bound_of(candidate, options);
    result.cells += next.unit.cells;
    if (!(next.lower > bound.lower)) break;
    bound = std::move(next);
  }

  result.status = status_of(bound.unit.end);
  result.lower_bound = bound.lower;
  result.unit_lower = bound.unit.lower / ridge;
  result.unit_upper = bound.unit.upper / ridge;
  result.model = model;
  result.objective = given;
  const double reached = candidate.objective();
  if (reached < given) {
    result.objective = reached;
    result.model.network = model.network.with_layers(candidate.layers());
    result.model.training.ridge = result.ridge;
    result.units_added = candidate.problem().widths[1] - model.network.widths()[1];
    if (model.classification.empty())
      result.model.training.relative_residual =
          evaluate(result.model.predict(data.inputs), data.targets).all.relative_residual;
  }
  result.gap = result.objective > 0 ? (result.objective - result.lower_bound) / result.objective : 0;
  result.seconds = clock.seconds();
  return result;
}

}  // namespace relufit
