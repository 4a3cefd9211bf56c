#include "relufit/fixed_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/infinity.h"
#include "base/refusal.h"
#include "checkpoint/checkpoint.h"
#include "exact_fit/douglas_rachford.h"
#include "exact_fit/one_layer/unit_fit.h"
#include "network/layer_state.h"
#include "relufit/fit.h"

namespace relufit {

namespace {

void check_problem(const LiftedProblem& problem) {
  check(problem);
  if (problem.network.hidden_layers() != 1) {
    fail(fmt::format("widths: {} hidden layers, fixed output weights expect 1", problem.network.hidden_layers()));
  }
  if (problem.network.outputs() != 1)
    fail(fmt::format("widths: {} outputs, fixed output weights expect 1", problem.network.outputs()));
  if (problem.network.activation != Activation::relu) {
    fail(fmt::format("activation: {}, fixed output weights expect relu", to_string(problem.network.activation)));
  }
  if (problem.network.output != OutputActivation::linear) {
    fail(fmt::format("output: {}, fixed output weights expect linear", to_string(problem.network.output)));
  }
  if (problem.loss != Loss::exact) {
    fail(fmt::format("loss: {}, fixed output weights expect exact", to_string(problem.loss)));
  }
  if (problem.ridge != 0) fail(fmt::format("ridge: {}, fixed output weights expect 0", problem.ridge));
}

void check_options(const FixedOutputOptions& options, Index units) {
  const Vector& weights = options.output_weights;
  if (weights.size() != 0 && weights.size() != units) {
    fail(fmt::format("output_weights: {} values, expected {}, one per hidden unit", weights.size(), units));
  }
  for (const double weight : weights) {
    if (!std::isfinite(weight) || weight == 0)
      fail(fmt::format("output_weights: {}, expected finite and not 0", weight));
  }
  if (!(std::isfinite(options.extra_units) && options.extra_units >= 0)) {
    fail(fmt::format("extra_units: {}, expected a number >= 0", options.extra_units));
  }
  if (!(options.relaxation > 0 && options.relaxation < 2)) {
    fail(fmt::format("relaxation: {}, expected a number between 0 and 2", options.relaxation));
  }
  if (options.max_iterations < 1) fail(fmt::format("max_iterations: {}, expected at least 1", options.max_iterations));
  if (options.max_starts < 1) fail(fmt::format("max_starts: {}, expected at least 1", options.max_starts));
  const auto positive = [](double value, const char* name) {
    if (!(std::isfinite(value) && value > 0)) fail(fmt::format("{}: {}, expected a number > 0", name, value));
  };
  positive(options.coarse_tolerance, "coarse_tolerance");
  positive(options.tolerance, "tolerance");
  if (!(options.time_limit >= 0)) fail(fmt::format("time_limit: {}, expected a number >= 0", options.time_limit));
}

// Inside, units have output weights +1 (first) or -1: s relu(z) = sign(s) relu(|s| z), |s| is put back at the end.

Vector signs_of(Index positive, Index negative) {
  Vector signs(positive + negative);
  signs.head(positive).setOnes();
  signs.tail(negative).setConstant(-1);
  return signs;
}

/// Adds up pairs among rows first..first + count - 1 until `asked` are left, each time the pair for which replacing
/// relu(a x) + relu(b x) by relu((a + b) x) costs least: |a||b| - a'b, 0 where they point the same way.
void merge_rows(Matrix& rows, Index first, Index count, Index asked) {
  for (; count > asked; --count) {
    Index best_i = first;
    Index best_k = first + 1;
    double least = kInfinity;
    for (Index i = first; i < first + count; ++i) {
      for (Index k = i + 1; k < first + count; ++k) {
        const double cost = rows.row(i).norm() * rows.row(k).norm() - rows.row(i).dot(rows.row(k));
        if (!(cost < least)) continue;
        least = cost;
        best_i = i;
        best_k = k;
      }
    }
    rows.row(best_i) += rows.row(best_k);
    const Index after = rows.rows() - best_k - 1;
    rows.middleRows(best_k, after) = rows.bottomRows(after).eval();
    rows.conservativeResize(rows.rows() - 1, rows.cols());
  }
}

class FixedOutputSearch {
 public:
  FixedOutputSearch(const LiftedProblem& problem, const FixedOutputOptions& options,
                    const FixedOutputObserver& observer)
      : problem_(problem),
        options_(options),
        observer_(observer),
        weights_(options.output_weights.size() > 0 ? options.output_weights : Vector::Ones(problem.network.widths[1])),
        positive_((weights_.array() > 0).count()),
        negative_(weights_.size() - positive_),
        data_(problem.inputs, problem.targets, OutputActivation::linear, problem.bias, OutputWeights::fixed),
        fit_(data_),
        basis_(data_.inputs()),
        random_(options.seed),
        piece_(Piece::at(options.piece)),
        time_limit_(options.time_limit) {
    wide_positive_ = positive_ + extra(positive_);
    wide_signs_ = signs_of(wide_positive_, negative_ + extra(negative_));
    fit_options_.race_interval = 5;
    fit_options_.race_factor = 0.5;
    fit_options_.max_iterations = 40;
    fit_options_.initial_damping = 1e-4;
    fit_options_.tolerance = std::min(kFitTolerance, kFitShare * options.tolerance);
    fit_options_.should_stop = [this] { return stop_asked(); };
  }

  FixedOutputResult run() {
    DouglasRachford iteration(basis_, problem_.targets.row(0).transpose(), wide_signs_);
    piece_.restore([&](StateVisitor& visitor) { visit_state(visitor, iteration); });
    while (!status_) run_start(iteration);
    if (result_.layers.empty()) {
      fit_options_.should_stop = {};
      Matrix merged = merge(best_);
      polish(merged);
    }
    result_.status = *status_;
    result_.seconds = seconds();
    return std::move(result_);
  }

 private:
  static constexpr double kFitTolerance = 1e-11;
  static constexpr double kFitShare = 1e-2;
  static constexpr double kWideFit = 1e-6;  // a wide model this close is worth merging after the fit
  static constexpr Index kCheckInterval = 50;

  double seconds() const { return clock_.seconds(); }
  bool out_of_time() const { return time_limit_ > 0 && seconds() >= time_limit_; }
  bool interrupted() const { return observer_stop_ || (options_.should_stop && options_.should_stop()); }
  bool stop_asked() const { return interrupted() || out_of_time(); }

  Index extra(Index units) const {
    return static_cast<Index>(std::ceil(options_.extra_units * static_cast<double>(units) - 1e-9));
  }

  /// Between two iterations of a start.
  void visit_state(StateVisitor& visitor, DouglasRachford& iteration) {
    double time = seconds();
    visitor(time, done_, iteration, random_, best_, best_residual_);
    visitor(result_.layers, result_.relative_residual, result_.starts, result_.iterations);
    if (!visitor.restores()) return;
    clock_ = Clock(time);
    time_limit_ += time_limit_ > 0 ? time : 0;  // what was left when it went on
  }

  void run_start(DouglasRachford& iteration) {
    if (done_ == 0) {
      ++result_.starts;
      iteration.start(random_);
    }
    double residual = kInfinity;
    while (done_ < options_.max_iterations) {
      if (done_ > 0 && done_ % kCheckInterval == 0) {
        piece_.offer(stop_asked(), [&](StateVisitor& visitor) { visit_state(visitor, iteration); });
      }
      iteration.iterate(options_.relaxation);
      ++result_.iterations;
      if (++done_ % kCheckInterval != 0 && done_ != options_.max_iterations) continue;
      residual = iteration.relative_residual();
      if (observer_ && !observer_(result_.iterations, residual)) observer_stop_ = true;
      if (residual <= options_.coarse_tolerance || stop_asked()) break;
    }
    done_ = 0;
    if (residual < best_residual_ || best_.rows() == 0) {
      best_residual_ = residual;
      best_ = iteration.units();
    }
    if (residual <= options_.coarse_tolerance) finish(iteration.units());
    set_status();
  }

  /// Merges and fits; where that fails, fits before merging.
  void finish(Matrix wide) {
    Matrix merged = merge(wide);
    if (polish(merged) || stop_asked()) return;
    if (fit(wide, wide_signs_) > kWideFit) return;
    merged = merge(wide);
    polish(merged);
  }

  void set_status() {
    if (!result_.layers.empty() && result_.relative_residual <= options_.tolerance) {
      status_ = SearchStatus::converged;
    } else if (interrupted()) {
      status_ = SearchStatus::interrupted;
    } else if (out_of_time()) {
      status_ = SearchStatus::time_limit;
    } else if (result_.starts >= options_.max_starts) {
      status_ = SearchStatus::run_limit;
    }
  }

  Matrix merge(Matrix wide) const {
    merge_rows(wide, wide_positive_, wide.rows() - wide_positive_, negative_);
    merge_rows(wide, 0, wide_positive_, positive_);
    return wide;
  }

  double fit(Matrix& hidden, const Vector& signs) {
    UnitModel model{std::move(hidden), signs.transpose(), false};
    const double residual = fit_.run(model, fit_options_);
    hidden = std::move(model.hidden);
    return residual;
  }

  /// Fits a model of the asked width and keeps it if it is the best; whether it is good enough.
  bool polish(Matrix& merged) {
    fit(merged, signs_of(positive_, negative_));
    UnitModel model{Matrix(merged.rows(), merged.cols()), weights_.transpose(), false};
    Index next_positive = 0;
    Index next_negative = positive_;
    for (Index i = 0; i < weights_.size(); ++i) {
      const Index row = weights_(i) > 0 ? next_positive++ : next_negative++;
      model.hidden.row(i) = merged.row(row) / std::abs(weights_(i));
    }
    std::vector<Layer> layers = data_.layers(model);
    const double residual = relufit::relative_residual(problem_, layers);
    if (result_.layers.empty() || residual < result_.relative_residual) {
      result_.layers = std::move(layers);
      result_.relative_residual = residual;
    }
    return residual <= options_.tolerance;
  }

  const LiftedProblem& problem_;
  const FixedOutputOptions& options_;
  const FixedOutputObserver& observer_;
  Clock clock_;
  Vector weights_;
  Index positive_;
  Index negative_;
  Index wide_positive_ = 0;
  Vector wide_signs_;
  UnitProblem data_;
  UnitFit fit_;
  UnitFitOptions fit_options_;
  RowBasis basis_;
  Random random_;
  Piece piece_;
  double time_limit_;
  Index done_ = 0;  // iterations of the start that runs
  Matrix best_;
  double best_residual_ = kInfinity;
  bool observer_stop_ = false;
  std::optional<SearchStatus> status_;
  FixedOutputResult result_;
};

}  // namespace

FixedOutputResult fit_fixed_output(const LiftedProblem& problem, const FixedOutputOptions& options,
                                   const FixedOutputObserver& observer) {
  check_problem(problem);
  check_options(options, problem.network.widths[1]);
  return FixedOutputSearch(problem, options, observer).run();
}

}  // namespace relufit
