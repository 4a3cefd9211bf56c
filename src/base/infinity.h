#pragma once

#include <limits>

namespace relufit {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace relufit
