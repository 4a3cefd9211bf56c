#include "relufit/certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/refusal.h"
#include "certificate/candidate.h"
#include "certificate/unit_search.h"
#include "relufit/fit.h"

namespace relufit {

namespace {

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
  problem.network.widths = model.network.widths();
  if (data.inputs.rows() != problem.network.inputs()) {
    fail(fmt::format("inputs: {} columns, expected {}", data.inputs.rows(), problem.network.inputs()));
  }
  if (data.targets.rows() != problem.network.outputs()) {
    fail(fmt::format("targets: {} columns, expected {}", data.targets.rows(), problem.network.outputs()));
  }
  problem.inputs = model.input_scaling.apply(data.inputs);
  problem.targets = model.target_scaling.apply(data.targets);
  problem.network.skip_connections = model.network.skip_connections();
  problem.loss = model.training.loss == to_string(Loss::logistic) ? Loss::logistic : Loss::squared;
  problem.sample_weights = data.sample_weights;
  problem.ridge = ridge * static_cast<double>(data.samples() * data.targets.rows());
  problem.bias = has_biases(model);
  check(problem);
  return problem;
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
  Candidate candidate(problem_of(model, data, result.ridge), model.network.layers(), options.seed, options.threads);
  const double given = candidate.objective();
  const auto stop_asked = [&] { return options.should_stop && options.should_stop(); };
  const auto is_over = [&, limit = options.tighten] { return clock.seconds() > limit || stop_asked(); };
  if (options.tighten > 0) candidate.tighten(is_over);
  Bound bound = bound_of(candidate, options);
  result.cells = bound.unit.cells;
  const double ridge = candidate.problem().ridge;
  // Branch and bound may have found a unit that local searches have not.
  while (candidate.is_missing(bound.unit) && !is_over()) {
    candidate.add(bound.dual, bound.unit.direction);
    candidate.tighten(is_over);
    Bound next = bound_of(candidate, options);
    result.cells += next.unit.cells;
    if (!(next.lower > bound.lower)) break;
    bound = std::move(next);
  }

  result.status = bound.unit.status;
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
    result.units_added = candidate.problem().network.widths[1] - model.network.widths()[1];
    if (model.classification.empty())
      result.model.training.relative_residual =
          evaluate(result.model.predict(data.inputs), data.targets).all.relative_residual;
  }
  result.gap = result.objective > 0 ? (result.objective - result.lower_bound) / result.objective : 0;
  result.seconds = clock.seconds();
  return result;
}

}  // namespace relufit
