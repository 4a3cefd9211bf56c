#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>

namespace relufit::cli {

namespace {

volatile std::sig_atomic_t interrupt_flag = 0;

void on_interrupt(int) {
  interrupt_flag = 1;
  std::signal(SIGINT, SIG_DFL);
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

InterruptGuard::InterruptGuard() : previous_(std::signal(SIGINT, on_interrupt)) { interrupt_flag = 0; }
InterruptGuard::~InterruptGuard() { std::signal(SIGINT, previous_); }
bool InterruptGuard::interrupted() { return interrupt_flag != 0; }

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (shown_) fmt::print(stderr, "\r\033[K");
}

void ProgressLine::show(const TrainProgress& progress, Index starts, Loss loss) {
  if (!terminal_ || (shown_ && now() - last_ < 0.1)) return;
  const SequenceRecord& record = progress.record;
  const std::string start = starts > 1 ? fmt::format("start {}/{}  ", progress.start + 1, starts) : "";
  fmt::print(stderr, "\r\033[K{}iteration {}  violation {:.1e}  fit {:.3e}  best {} {:.4e}  {:.1f} s", start,
             record.iteration, std::max(record.complementarity, record.product), record.fit,
             loss == Loss::exact ? "fit" : "loss", progress.best_value, record.seconds);
  std::fflush(stderr);
  shown_ = true;
  last_ = now();
}

}  // namespace relufit::cli
