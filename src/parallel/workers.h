/// \file
/// Fork-join over chunks of the samples (chunks.h), which do not depend on the number of threads.
#pragma once

#include <atomic>
#include <exception>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "relufit/matrix.h"

namespace relufit {

/// A team of threads (the caller is one of them) that runs tasks 0..count-1. Starting and joining allocates nothing.
class Workers {
 public:
  explicit Workers(int threads) {
    try {
      for (int i = 1; i < threads; ++i) team_.emplace_back([this, i] { serve(i); });
    } catch (...) {  // no more threads, or no more memory: those that run must end before they are let go
      dismiss();
      throw;
    }
  }
  ~Workers() { dismiss(); }
  /// Threads, with the caller.
  Index size() const { return static_cast<Index>(team_.size()) + 1; }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Calls task(i), or task(i, worker) where it wants to know the thread, 0..size-1. Throws what a task throws; of
  /// several the first, and the others are done nevertheless.
  template <class Task>
  void run(Index count, const Task& task) {
    if (team_.empty() || count == 1) {
      for (Index i = 0; i < count; ++i) call(task, i, 0);
      return;
    }
    task_ = [](const void* context, Index i, Index worker) { call(*static_cast<const Task*>(context), i, worker); };
    context_ = &task;
    count_ = count;
    next_ = 0;
    busy_ = static_cast<int>(team_.size());
    announce();
    work(0);
    for (int busy = busy_; busy != 0; busy = busy_) busy_.wait(busy);
    if (failed_.test()) {
      failed_.clear();
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }

 private:
  template <class Task>
  static void call(const Task& task, Index i, Index worker) {
    if constexpr (std::is_invocable_v<const Task&, Index, Index>) {
      task(i, worker);
    } else {
      task(i);
    }
  }
  void announce() {
    ++round_;
    round_.notify_all();
  }
  void dismiss() {
    quit_ = true;
    announce();
    for (std::thread& thread : team_) thread.join();
  }
  /// An exception must not leave a thread.
  void work(Index worker) {
    for (Index i = next_++; i < count_; i = next_++) {
      try {
        task_(context_, i, worker);
      } catch (...) {
        if (!failed_.test_and_set()) error_ = std::current_exception();
      }
    }
  }
  void serve(Index worker) {
    for (unsigned seen = 0;;) {
      round_.wait(seen);
      seen = round_;
      if (quit_) return;
      work(worker);
      if (--busy_ == 0) busy_.notify_one();
    }
  }

  std::vector<std::thread> team_;
  void (*task_)(const void*, Index, Index) = nullptr;
  const void* context_ = nullptr;
  Index count_ = 0;
  std::atomic<Index> next_{0};
  std::atomic<int> busy_{0};
  std::atomic<unsigned> round_{0};
  std::atomic<bool> quit_{false};
  std::atomic_flag failed_;  ///< who sets it may write error_
  std::exception_ptr error_;
};

}  // namespace relufit
