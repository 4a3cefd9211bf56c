/// \file
/// The processes that mpirun started.
#pragma once

#include "relufit/data.h"
#include "relufit/ranks.h"

namespace relufit::cli {

/// Whether this process speaks and writes.
inline bool is_first(const Ranks* ranks) { return ranks == nullptr || ranks->rank() == 0; }

/// This process's columns, or samples, of what all of them have read.
Matrix own_part(const Ranks* ranks, const Matrix& all);
Dataset own_part(const Ranks* ranks, const Dataset& all);

/// Made once, at the beginning of the program; one process without mpirun.
class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Null where there is one process.
  const Ranks* ranks() const;

  /// What to do with a failure of this process: the others come to the same end, and the first speaks for all, or they
  /// do not, and all are ended. `speak` says what has happened.
  template <class Speak>
  void end_with(int code, Speak&& speak) const {
    const Ranks* all = ranks();
    if (all == nullptr || all->rank() == 0) speak();
    if (all == nullptr || all_end()) return;
    if (all->rank() != 0) speak();
    abort(code);
  }

 private:
  bool all_end() const;
  [[noreturn]] void abort(int code) const;
};

}  // namespace relufit::cli
