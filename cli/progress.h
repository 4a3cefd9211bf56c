/// \file
/// Live line and interrupts of long commands.
#pragma once

#include "relufit/train.h"

namespace relufit::cli {

/// While alive, Ctrl-C sets a flag instead of ending the program (a second Ctrl-C ends it).
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool interrupted();

 private:
  void (*previous_)(int);
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
