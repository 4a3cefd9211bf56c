/// \file
/// Wall time since a clock was made, and what had passed before.
#pragma once

#include <chrono>

namespace relufit {

class Clock {
 public:
  explicit Clock(double seconds_before = 0) : before_(seconds_before) {}

  double seconds() const {
    return before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  double before_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace relufit
