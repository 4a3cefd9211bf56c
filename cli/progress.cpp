#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace relufit::cli {

namespace {

volatile std::sig_atomic_t interrupt_flag = 0;

/// The next signal of any kind ends the program.
void on_interrupt(int) {
  interrupt_flag = 1;
  for (const int signal : InterruptGuard::signals) {
    struct sigaction action = {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == on_interrupt) std::signal(signal, SIG_DFL);
  }
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The terminal may be gone (SIGHUP), which is no reason to end.
void write_error(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupt_flag = 0;
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < previous_.size(); ++i) {
    sigaction(signals[i], nullptr, &previous_[i]);
    // What the parent told to be ignored, as nohup does, stays ignored.
    if (previous_[i].sa_handler != SIG_IGN) sigaction(signals[i], &action, nullptr);
  }
}

InterruptGuard::~InterruptGuard() {
  for (std::size_t i = 0; i < previous_.size(); ++i) sigaction(signals[i], &previous_[i], nullptr);
}

bool InterruptGuard::interrupted() { return interrupt_flag != 0; }

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (shown_) write_error("\r\033[K");
}

void ProgressLine::show(const TrainProgress& progress, Index starts, Loss loss) {
  if (!terminal_ || (shown_ && now() - last_ < 0.1)) return;
  const SequenceRecord& record = progress.record;
  shown_ = true;
  last_ = now();
  if (progress.tried_ridge) {
    write_error(fmt::format("\r\033[Kridge {}  held-out loss {:.4e}  best {:.4e}  {:.1f} s", *progress.tried_ridge,
                            record.loss, progress.best_value, record.seconds));
    return;
  }
  const std::string start = starts > 1 ? fmt::format("start {}/{}  ", progress.start + 1, starts) : "";
  write_error(fmt::format("\r\033[K{}iteration {}  violation {:.1e}  fit {:.3e}  best {} {:.4e}  {:.1f} s", start,
                          record.iteration, std::max(record.pair, record.product), record.fit,
                          loss == Loss::exact ? "fit" : "loss", progress.best_value, record.seconds));
}

}  // namespace relufit::cli
