/// \file
/// Ranks that are processes of MPI. Part of the library where it is built with RELUFIT_MPI=ON.
#pragma once

#include <memory>

#include "relufit/ranks.h"

namespace relufit {

/// All processes that mpirun started. While it lives MPI is initialized; it can be made once in a process.
class MpiRanks final : public Ranks {
 public:
  /// Exchanges at most `piece` numbers of a rank at once, >= 1, fewer where that is beyond what MPI counts to.
  explicit MpiRanks(Index piece = Index{1} << 26);
  ~MpiRanks() override;
  MpiRanks(const MpiRanks&) = delete;
  MpiRanks& operator=(const MpiRanks&) = delete;

  int size() const override { return size_; }
  int rank() const override { return rank_; }
  void gather(const double* mine, const std::vector<Index>& counts, double* all) const override;

  /// Waits until all ranks have called it, `seconds` at most; whether they have.
  bool all_arrive(double seconds) const;
  /// Ends all ranks at once with this exit code.
  [[noreturn]] void abort(int code) const;

 private:
  Index piece_ = 1;
  int size_ = 1;
  int rank_ = 0;
};

}  // namespace relufit
