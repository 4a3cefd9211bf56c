/// \file
/// Ranks that are threads of one process.
#pragma once

#include <barrier>
#include <thread>
#include <vector>

#include "relufit/ranks.h"

namespace relufit::test {

/// What the ranks of one group share.
class RankGroup {
 public:
  explicit RankGroup(int size) : sent_(static_cast<std::size_t>(size)), barrier_(size) {}

  /// Calls work(ranks) on as many threads as there are ranks.
  template <class Work>
  void run(const Work& work) {
    std::vector<std::thread> threads;
    for (int r = 0; r < size(); ++r) {
      threads.emplace_back([this, r, &work] {
        const Member member(*this, r);
        work(static_cast<const Ranks&>(member));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  class Member : public Ranks {
   public:
    Member(RankGroup& group, int rank) : group_(group), rank_(rank) {}
    int size() const override { return group_.size(); }
    int rank() const override { return rank_; }
    void gather(const double* mine, const std::vector<Index>& counts, double* all) const override {
      group_.sent_[static_cast<std::size_t>(rank_)] = mine;
      group_.barrier_.arrive_and_wait();
      for (std::size_t r = 0; r < counts.size(); ++r) all = std::copy_n(group_.sent_[r], counts[r], all);
      group_.barrier_.arrive_and_wait();
    }

   private:
    RankGroup& group_;
    int rank_;
  };

  int size() const { return static_cast<int>(sent_.size()); }

  std::vector<const double*> sent_;
  std::barrier<> barrier_;
};

}  // namespace relufit::test
