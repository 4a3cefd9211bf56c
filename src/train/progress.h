/// \file
/// What the starts of a training know of each other: which of them are needed, the best value so far, and when to end.
#pragma once

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>

#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "relufit/train.h"

namespace relufit {

/// Refers to its arguments. All functions from any thread.
class Progress {
 public:
  Progress(const TrainOptions& options, const Clock& clock, const TrainObserver& observer)
      : options_(options), clock_(clock), observer_(observer), first_solved_(options.starts) {}

  double seconds_left() const { return options_.time_limit - clock_.seconds(); }
  bool out_of_time() const { return options_.time_limit > 0 && seconds_left() <= 0; }
  /// Whether a start need not go on: all are to stop, or one before it has solved the problem.
  bool needless(Index start) const { return stopped_ || first_solved_ < start; }
  /// Whether it is not to go on: it is needless, or the user wants no more.
  bool stops(Index start) const { return needless(start) || (options_.should_stop && options_.should_stop()); }
  void stop() { stopped_ = true; }

  /// The first start that is known to have solved the problem; the number of starts where there is none.
  Index first_solved() const { return first_solved_; }
  void solved(Index start) {
    Index first = first_solved_;
    while (start < first && !first_solved_.compare_exchange_weak(first, start)) {
    }
  }

  /// Shows a record to the observer. Returns whether the start goes on.
  bool observe(Index start, const SequenceRecord& record) {
    note(record);
    const std::lock_guard lock(mutex_);
    if (observer_ && !observer_({start, record, best_value_})) stopped_ = true;
    return !needless(start);
  }
  /// A record that another training has shown.
  void note(const SequenceRecord& record) {
    const std::lock_guard lock(mutex_);
    best_value_ = std::min(best_value_, options_.loss == Loss::exact ? record.fit : record.loss);
  }
  /// The best value, with what a checkpoint knows of it.
  void visit_best(StateVisitor& visitor) {
    const std::lock_guard lock(mutex_);
    double value = best_value_;
    visitor(value);
    best_value_ = std::min(best_value_, value);
  }

 private:
  const TrainOptions& options_;
  const Clock& clock_;
  const TrainObserver& observer_;
  std::atomic<Index> first_solved_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  double best_value_ = std::numeric_limits<double>::infinity();
};

}  // namespace relufit
