/// \file
/// Random numbers that are the same on every platform (the standard library's distributions are not).
#pragma once

#include <cmath>
#include <locale>
#include <numbers>
#include <random>
#include <sstream>
#include <string>

#include "relufit/matrix.h"

namespace relufit {

class Random {
 public:
  explicit Random(unsigned long long seed) : engine_(seed) {}

  /// Uniform in (0, 1).
  double uniform() { return (static_cast<double>(engine_() >> 11U) + 0.5) * 0x1p-53; }

  /// Uniform in 0..count-1.
  Index index(Index count) { return static_cast<Index>(uniform() * static_cast<double>(count)); }

  /// Standard normal (Box and Muller).
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2 * std::log(uniform()));
    const double angle = 2 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

  /// Goes on as after that many normal().
  void skip_normals(Index count) {
    if (count > 0 && has_spare_) {
      has_spare_ = false;
      --count;
    }
    const Index pairs = count - count % 2;  // two numbers for every two
    engine_.discard(static_cast<unsigned long long>(pairs));
    if (count % 2 == 1) normal();
  }

  /// Independent standard normal entries, filled column by column.
  Matrix normal(Index rows, Index cols) {
    Matrix values(rows, cols);
    for (double& value : values.reshaped()) value = normal();
    return values;
  }

  template <class Visitor>
  void visit_state(Visitor& visitor) {
    std::stringstream engine;
    engine.imbue(std::locale::classic());
    engine << engine_;
    std::string text = engine.str();
    visitor(text, spare_, has_spare_);
    engine.str(text);
    engine >> engine_;
  }

 private:
  std::mt19937_64 engine_;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace relufit
