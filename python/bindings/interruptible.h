/// \file
/// Long computations started from Python: the calling thread stays free to handle signals and to call back.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace relufit::python {

/// Runs work in another thread, without the global interpreter lock. The calling thread meanwhile
///
///   * lets Python handle signals every 50 ms: a KeyboardInterrupt asks the work to stop and is taken as handled, any
///     other exception of a signal handler asks it to stop and is raised after it has;
///   * calls back into Python for the work's threads, so that callbacks run where they would be expected to.
class Interruptible {
 public:
  /// For the work: whether it is to stop. Any thread.
  bool should_stop() const { return stop_; }

  /// For the work, one thread at a time: has the calling thread call `question` and returns its answer (false: stop).
  /// What `question` throws ends the work and is rethrown by `run`.
  bool ask(const std::function<bool()>& question) {
    std::unique_lock lock(mutex_);
    question_ = &question;
    changed_.notify_all();
    changed_.wait(lock, [this] { return question_ == nullptr; });
    return !stop_;
  }

  /// Returns when the work has ended; rethrows what it, a callback or a signal handler threw. Needs the lock.
  void run(const std::function<void()>& work) {
    std::exception_ptr failure;
    std::thread thread([&] {
      try {
        work();
      } catch (...) {
        failure = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      done_ = true;
      changed_.notify_all();
    });
    {
      nanobind::gil_scoped_release release;
      attend();
      thread.join();
    }
    if (raised_) std::rethrow_exception(raised_);
    if (failure) std::rethrow_exception(failure);
  }

 private:
  static constexpr std::chrono::milliseconds kSignalInterval{50};

  void attend() {
    std::unique_lock lock(mutex_);
    while (!done_) {
      changed_.wait_for(lock, kSignalInterval, [this] { return done_ || question_; });
      if (done_) return;
      const auto* question = question_;
      lock.unlock();
      call_python(question);
      lock.lock();
      if (question) {
        question_ = nullptr;
        changed_.notify_all();
      }
    }
  }

  void call_python(const std::function<bool()>* question) {
    const nanobind::gil_scoped_acquire acquire;
    try {
      if (PyErr_CheckSignals() != 0) throw nanobind::python_error();
      if (question && !raised_ && !(*question)()) stop_ = true;
    } catch (nanobind::python_error& error) {
      stop_ = true;
      if (!error.matches(PyExc_KeyboardInterrupt)) raised_ = std::current_exception();
    } catch (...) {
      stop_ = true;
      raised_ = std::current_exception();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<bool()>* question_ = nullptr;
  bool done_ = false;
  std::atomic<bool> stop_{false};
  std::exception_ptr raised_;
};

}  // namespace relufit::python
