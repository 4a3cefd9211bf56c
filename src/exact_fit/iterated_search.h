/// \file
/// The search for an exact fit by iterated local fits, whatever is fitted.
///
/// From a random model, one random unit at a time is replaced by a random one and the model fitted again. It goes on
/// from the new model where this is better or not much worse; after `patience` in a row that are no better than the
/// best of this start everything is drawn anew.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "checkpoint/checkpoint.h"
#include "network/layer_state.h"
#include "relufit/fit.h"
#include "relufit/search.h"

namespace relufit {

/// `Fitting` has a type Model and
///
///     void prepare(const std::function<bool()>& stop);            the search begins (it does not go on)
///     void begin_start();                                         a fresh start follows
///     Model random_model(Random&);
///     void replace_random_unit(Random&, Model&);
///     double fit_random(Model&, const std::function<bool()>& stop);   improves it; returns its relative residual
///     double fit(Model&, double residual, const std::function<bool()>& stop);
///                                                 likewise, after a replacement in a model of this relative residual
///     std::vector<Layer> exact(const Model&);                     the plain network of a model that fits; may be empty
///     std::vector<Layer> nearest(const Model&, bool in_haste);    of the best model, where none fits
///     static constexpr Index kDraws;                              random models at a fresh start; the best goes on
///     double accepted();                                          residual, relative to the last, that it goes on from
///     void visit_state(StateVisitor&);                            what it keeps from fit to fit
template <class Fitting>
class IteratedSearch {
 public:
  using Model = typename Fitting::Model;

  IteratedSearch(const IteratedSearch&) = delete;
  IteratedSearch& operator=(const IteratedSearch&) = delete;

  IteratedSearch(const LiftedProblem& problem, const SearchOptions& options, const SearchObserver& observer,
                 Fitting& fitting)
      : problem_(problem),
        options_(options),
        observer_(observer),
        fitting_(fitting),
        random_(options.seed),
        time_limit_(options.time_limit),
        solved_(std::max(kSolved, options.tolerance)),
        stop_([this] { return out_of_time() || (options_.should_stop && options_.should_stop()); }) {}

  SearchResult run() {
    const Piece piece = Piece::at(options_.piece);
    const auto visit = [this](StateVisitor& visitor) { visit_state(visitor); };
    if (!piece.restore(visit)) fitting_.prepare(stop_);
    while (!status_) {
      if (!stop_()) piece.offer(false, visit);  // what was prepared may have been cut short
      try_next();
    }
    if (*status_ != SearchStatus::converged) {
      keep(fitting_.nearest(best_, *status_ != SearchStatus::run_limit));
    }
    result_.status = *status_;
    result_.seconds = clock_.seconds();
    return std::move(result_);
  }

 private:
  static constexpr double kSolved = 1e-8;  // relative residual from which on a model counts as exact
  static constexpr double kProgress = 0.999;

  bool out_of_time() const { return time_limit_ > 0 && clock_.seconds() >= time_limit_; }

  /// One fit: of a random model at a fresh start, else of the current one with another unit.
  void try_next() {
    if (draws_ == Fitting::kDraws && (residual_ <= solved_ || failures_ >= options_.patience)) {
      draws_ = failures_ = 0;
      residual_ = std::numeric_limits<double>::infinity();
    }
    if (draws_ < Fitting::kDraws) {
      if (draws_++ == 0) fitting_.begin_start();
      candidate_ = fitting_.random_model(random_);
      take_if_below(residual_, attempt(candidate_, fitting_.fit_random(candidate_, stop_)));
      reached_ = residual_;
      return;
    }
    candidate_ = current_;
    fitting_.replace_random_unit(random_, candidate_);
    const double next = attempt(candidate_, fitting_.fit(candidate_, residual_, stop_));
    const bool is_progress = next < kProgress * reached_;
    failures_ = is_progress ? 0 : failures_ + 1;
    if (is_progress) reached_ = next;
    take_if_below(fitting_.accepted() * residual_, next);
  }

  /// Between two fits. The candidate is none then.
  void visit_state(StateVisitor& visitor) {
    double seconds = clock_.seconds();
    visitor(seconds, random_, current_, best_, best_residual_, draws_, failures_, residual_, reached_, fitting_);
    visitor(result_.layers, result_.relative_residual, result_.runs);
    if (!visitor.restores()) return;
    clock_ = Clock(seconds);
    time_limit_ += time_limit_ > 0 ? seconds : 0;  // what was left when it went on
  }

  void take_if_below(double bound, double next) {
    if (!(next < bound)) return;
    std::swap(current_, candidate_);
    residual_ = next;
  }

  /// What follows from a local fit; sets status_ where the search is over. Returns the residual, a relative one.
  double attempt(const Model& model, double residual) {
    ++result_.runs;
    if (residual < best_residual_ || result_.runs == 1) {
      best_residual_ = residual;
      best_ = model;
    }
    if (residual <= solved_) keep(fitting_.exact(model));
    const bool go_on = !observer_ || observer_(result_.runs, best_residual_);
    if (!result_.layers.empty() && result_.relative_residual <= options_.tolerance) {
      status_ = SearchStatus::converged;
    } else if (!go_on || (options_.should_stop && options_.should_stop())) {
      status_ = SearchStatus::interrupted;
    } else if (out_of_time()) {
      status_ = SearchStatus::time_limit;
    } else if (result_.runs >= options_.max_runs) {
      status_ = SearchStatus::run_limit;
    }
    return residual;
  }

  void keep(std::vector<Layer> layers) {
    if (layers.empty()) return;
    const double residual = relufit::relative_residual(problem_, layers);
    if (!result_.layers.empty() && !(residual < result_.relative_residual)) return;
    result_.layers = std::move(layers);
    result_.relative_residual = residual;
  }

  const LiftedProblem& problem_;
  const SearchOptions& options_;
  const SearchObserver& observer_;
  Fitting& fitting_;
  Clock clock_;
  Random random_;
  double time_limit_;
  double solved_;
  std::function<bool()> stop_;
  Model current_, candidate_, best_;
  Index draws_ = 0, failures_ = 0;                             // since the last fresh start
  double residual_ = std::numeric_limits<double>::infinity();  // of the current model
  double reached_ = std::numeric_limits<double>::infinity();   // the least of this start
  double best_residual_ = std::numeric_limits<double>::infinity();
  std::optional<SearchStatus> status_;
  SearchResult result_;
};

}  // namespace relufit
