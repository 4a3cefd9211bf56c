/// \file
/// Live line and interrupts of long commands.
#pragma once

#include <array>
#include <csignal>

#include "relufit/train.h"

namespace relufit::cli {

/// While alive, Ctrl-C (SIGINT), SIGTERM and SIGHUP set a flag instead of ending the program; a second one ends it.
class InterruptGuard {
 public:
  static constexpr std::array<int, 3> signals = {SIGINT, SIGTERM, SIGHUP};

  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool interrupted();

 private:
  std::array<struct sigaction, signals.size()> previous_ = {};
};

/// One line on standard error, rewritten at most ten times a second; nothing where that is not a terminal.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const TrainProgress& progress, Index starts, Loss loss);

 private:
  bool terminal_;
  bool shown_ = false;
  double last_ = -1;
};

}  // namespace relufit::cli
