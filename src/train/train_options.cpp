#include <fmt/format.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "train/train_problem.h"

namespace relufit {

const char* to_string(Method method) {
  switch (method) {
    case Method::relaxation:
      return "relaxation";
    case Method::search:
      return "search";
    case Method::fixed_output:
      return "fixed-output";
  }
  return "unknown";
}

TrainOptions default_train_options(std::vector<Index> hidden, Loss loss, Activation activation) {
  TrainOptions options;
  options.hidden = std::move(hidden);
  options.loss = loss;
  options.activation = activation;
  if (loss == Loss::exact) options.ridge = 0;
  // Measured: under the squared loss the relaxation's own point predicts noisy targets better than the local minimum
  // near it; for classes the minimum does, and the relaxation need only begin. Units with ceilings need it, too.
  options.polish = loss != Loss::squared || lift_of(activation).pieces.size() > 1;
  if (loss == Loss::exact && !options.hidden.empty()) options.method = Method::search;
  SequenceOptions& sequence = options.sequence;
  // Measured: losses of classes have slopes below 1 and little curvature, and are outweighed by larger ones.
  const bool classes = is_for_classes(loss);
  const double weight = classes ? 10 : 100;
  sequence.weights = {weight, weight};
  sequence.penalties = {weight, weight, weight};
  const Strategy strategy = options.hidden.empty() ? Strategy::converged : Strategy::inexact;
  set_strategy(sequence, strategy, default_inner_iterations(strategy));
  // Several layers, exact loss: a short relaxation and the polish after it, from many starts, fit better than a long
  // one.
  const bool short_starts = loss == Loss::exact && options.hidden.size() > 1;
  sequence.max_iterations = loss == Loss::hinge ? 300 : classes ? 60 : short_starts ? 20 : 1000;
  sequence.record_interval = 5;
  sequence.stall_window = 40;
  return options;
}

void check(const TrainOptions& options) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  for (const Index units : options.hidden) {
    if (units < 1) fail(fmt::format("hidden: {} units, expected at least 1", units));
  }
  check(options.loss);
  check(options.activation);
  if (options.starts < 1) fail(fmt::format("starts: {}, expected at least 1", options.starts));
  if (options.threads < 1) fail(fmt::format("threads: {}, expected at least 1", options.threads));
  if (!(std::isfinite(options.ridge) && options.ridge >= 0)) {
    fail(fmt::format("ridge: {}, expected a number >= 0", options.ridge));
  }
  if (!(std::isfinite(options.random_scale) && options.random_scale >= 0)) {
    fail(fmt::format("random_scale: {}, expected a number >= 0", options.random_scale));
  }
  for (const auto& [value, name] : {std::pair{options.lasso, "lasso"}, std::pair{options.group_lasso, "group_lasso"},
                                    std::pair{options.nuclear, "nuclear"}}) {
    if (!(std::isfinite(value) && value >= 0)) fail(fmt::format("{}: {}, expected a number >= 0", name, value));
  }
  if (options.starts > 1 && options.initialization != Initialization::random) {
    fail(fmt::format("starts: {}, expected 1 when the start is not random", options.starts));
  }
  if (options.candidates < 1) fail(fmt::format("candidates: {}, expected at least 1", options.candidates));
  if (options.candidate_iterations < 1) {
    fail(fmt::format("candidate_iterations: {}, expected at least 1", options.candidate_iterations));
  }
  if (options.search_runs < 1) fail(fmt::format("search_runs: {}, expected at least 1", options.search_runs));
  const std::string method = to_string(options.method);
  if (options.method != Method::relaxation) {
    if (options.loss != Loss::exact) fail(fmt::format("loss: {}, {} expects exact", to_string(options.loss), method));
    if (options.hidden.empty()) fail(fmt::format("hidden: no hidden layer, {} expects one", method));
    if (options.ridge != 0) fail(fmt::format("ridge: {}, {} expects 0", options.ridge, method));
    if (!options.constraints.empty() || options.lasso + options.group_lasso + options.nuclear > 0) {
      fail(fmt::format("method: {} knows no constraints and regularizers on weights, expected relaxation", method));
    }
    if (options.initialization != Initialization::random) {
      fail(fmt::format("initialization: {} starts at random, expected relaxation for other starts", method));
    }
  }
  if (options.skip_connections && (options.hidden.empty() || options.method == Method::fixed_output)) {
    fail(fmt::format("skip_connections: with {}, expected none",
                     options.hidden.empty() ? "no hidden layer" : "fixed output weights"));
  }
  if (options.method == Method::fixed_output) {
    if (options.hidden.size() != 1) {
      fail(fmt::format("hidden: {} hidden layers, {} expects 1", options.hidden.size(), method));
    }
    if (options.activation != Activation::relu) {
      fail(fmt::format("activation: {}, {} expects relu", to_string(options.activation), method));
    }
  }
  if (options.fixed_output_iterations < 1) {
    fail(fmt::format("fixed_output_iterations: {}, expected at least 1", options.fixed_output_iterations));
  }
  if (!(std::isfinite(options.fit_tolerance) && options.fit_tolerance > 0)) {
    fail(fmt::format("fit_tolerance: {}, expected a number > 0", options.fit_tolerance));
  }
  if (!(std::isfinite(options.weight_grid) && options.weight_grid >= 0)) {
    fail(fmt::format("weight_grid: {}, expected a number >= 0", options.weight_grid));
  }
  if (options.weight_grid > 0 && has_fixed_output(options)) {
    fail(fmt::format("weight_grid: {} with given output weights, which it would change, expected none",
                     options.weight_grid));
  }
  if (options.initialization == Initialization::network && !options.start) fail("start: no model given to start from");
}

void check_classes(const Dataset& data, const TrainOptions& options) {
  if (data.classification.empty()) return;
  const Loss& loss = options.loss;
  if (!is_for_classes(loss) || link_of(loss) != data.classification.link) {
    throw std::invalid_argument(fmt::format("loss: {}, expected that of the classes' targets (link {})",
                                            to_string(loss), to_string(data.classification.link)));
  }
  if (data.targets.rows() != data.classification.output_count()) {
    throw std::invalid_argument(fmt::format("targets: {} rows, expected {} for the {} classes", data.targets.rows(),
                                            data.classification.output_count(), data.classification.class_count()));
  }
}

void check_output_weights(const Dataset& data, const TrainOptions& options) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  const Matrix& weights = options.output_weights;
  if (has_fixed_output(options) != (options.method == Method::fixed_output)) {
    fail(fmt::format("method: {}, expected {}", to_string(options.method),
                     has_fixed_output(options) ? "fixed-output, since output weights are given"
                                               : "another one, since no output weights are given"));
  }
  if (!has_fixed_output(options)) return;
  if (options.output != OutputActivation::linear) {
    fail(fmt::format("output: {}, given output weights expect linear", to_string(options.output)));
  }
  if (data.targets.rows() != 1) {
    fail(fmt::format("targets: {}, given output weights expect 1", data.targets.rows()));
  }
  if (weights.rows() != data.targets.rows() || weights.cols() != options.hidden.back()) {
    fail(fmt::format("output_weights: {} x {}, expected {} x {} (targets x units of the last hidden layer)",
                     weights.rows(), weights.cols(), data.targets.rows(), options.hidden.back()));
  }
  for (const double weight : weights.reshaped()) {
    if (!std::isfinite(weight) || weight == 0) {
      fail(fmt::format("output_weights: {}, expected finite numbers other than 0", weight));
    }
  }
}

}  // namespace relufit
