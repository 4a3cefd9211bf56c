#pragma once

#include <stdexcept>
#include <string>

namespace relufit {

/// Refuses what was asked for: the message names field, value and what is expected.
[[noreturn]] inline void fail(const std::string& message) { throw std::invalid_argument(message); }

}  // namespace relufit
