/// \file
/// Processes that train together (docs/scale.md), each with some of the samples.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "relufit/matrix.h"

namespace relufit {

/// What training needs of them: one operation, which all ranks call in the same order, and which returns the same on
/// all. MpiRanks (mpi_ranks.h) is one; in Python any communicator of mpi4py serves.
class Ranks {
 public:
  virtual ~Ranks() = default;
  /// Processes, >= 1.
  virtual int size() const = 0;
  /// Of this process, 0..size() - 1.
  virtual int rank() const = 0;
  /// Puts the numbers of all ranks one after the other into `all`: counts[r] of rank r, those of this one from `mine`.
  /// Throws std::runtime_error where a rank is lost.
  virtual void gather(const double* mine, const std::vector<Index>& counts, double* all) const = 0;
};

/// Which samples are here: all, or those of some chunks (parallel/chunks.h) next to those of other ranks.
struct Share {
  const Ranks* ranks = nullptr;  ///< null: all are here
  Index samples = 0;             ///< of all ranks together
};

/// What follows is called by all ranks together; without ranks (null) each is what one process has.

/// The bytes of rank 0, in the place of one's own.
void broadcast(const Ranks* ranks, std::string& bytes);
/// What rank 0 says.
bool agreed(const Ranks* ranks, bool mine);
double agreed(const Ranks* ranks, double mine);
/// The largest number of all ranks; not a number where one is not.
double largest_of(const Ranks* ranks, double mine);
/// The bytes of every rank.
std::vector<std::string> gathered_bytes(const Ranks* ranks, const std::string& mine);
/// The columns of every rank, in the order of ranks. All have as many rows.
Matrix gathered_columns(const Ranks* ranks, const Matrix& mine);
/// Calls work(); what it throws on any rank as bad input, std::invalid_argument with the message of the first of these,
/// is thrown by all, so that none waits for another.
void collectively(const Ranks* ranks, const std::function<void()>& work);

}  // namespace relufit
