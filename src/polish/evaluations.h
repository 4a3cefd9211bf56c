/// \file
/// What L-BFGS has asked for so far. Its own state is not to be had from the library that does it, but follows from the
/// answers: given them again, from the same begin, it asks the same and comes to where it was, in no time.
#pragma once

#include <vector>

#include "checkpoint/checkpoint.h"
#include "relufit/matrix.h"

namespace relufit {

class Evaluations {
 public:
  explicit Evaluations(const Piece& piece) : piece_(piece) { piece_.restore(visit()); }

  /// The value and the gradient at x: those known, else what evaluate(x, gradient) says.
  template <class Evaluate>
  double at(const Vector& x, Vector& gradient, Evaluate&& evaluate) {
    if (!piece_.keeps() && next_ == known_.size()) return evaluate(x, gradient);
    const unsigned long long hash = hash_of({reinterpret_cast<const char*>(x.data()), sizeof(double) * size(x)});
    // Another question, as on another kind of processor: the answers are of no use any more.
    if (next_ < known_.size() && known_[next_].hash != hash) known_.resize(next_);
    if (next_ < known_.size()) {
      gradient = known_[next_].gradient;
      return known_[next_++].value;
    }
    const double value = evaluate(x, gradient);
    if (!piece_.keeps() || size(x) * (known_.size() + 1) > kMostNumbers) return value;  // what comes is done again
    known_.push_back({hash, value, gradient});
    next_ = known_.size();
    piece_.offer(false, visit());
    return value;
  }

  /// Keeps what there is, due or not.
  void keep() { piece_.offer(true, visit()); }

 private:
  static constexpr std::size_t kMostNumbers = 1U << 25U;  // 256 MiB

  struct Evaluation {
    unsigned long long hash = 0;
    double value = 0;
    Vector gradient;
    void visit_state(StateVisitor& visitor) { visitor(hash, value, gradient); }
  };

  static std::size_t size(const Vector& x) { return static_cast<std::size_t>(x.size()); }
  Piece::Visit visit() {
    return [this](StateVisitor& visitor) { visitor(known_); };
  }

  Piece piece_;
  std::vector<Evaluation> known_;
  std::size_t next_ = 0;
};

}  // namespace relufit
