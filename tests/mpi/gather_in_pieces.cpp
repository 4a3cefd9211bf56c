/// \file
/// MpiRanks that exchange few numbers at once put those of all ranks where they belong. Exit code 1 where they do not.
#include <algorithm>
#include <vector>

#include "relufit/mpi_ranks.h"

namespace {

using relufit::Index;

double number(Index rank, Index i) { return static_cast<double>(rank) + static_cast<double>(i) / 1024; }

bool gathers(const relufit::Ranks& ranks, const std::vector<Index>& counts) {
  std::vector<double> mine, expected;
  for (Index rank = 0; rank < ranks.size(); ++rank) {
    for (Index i = 0; i < counts[static_cast<std::size_t>(rank)]; ++i) {
      expected.push_back(number(rank, i));
      if (rank == ranks.rank()) mine.push_back(number(rank, i));
    }
  }
  std::vector<double> all(expected.size(), -1);
  ranks.gather(mine.data(), counts, all.data());
  return all == expected;
}

}  // namespace

int main() {
  const relufit::MpiRanks ranks(4);
  bool right = true;
  for (Index most = 0; most < 14; ++most) {  // no piece, a part of one, whole ones, the last one short
    std::vector<Index> counts;
    for (Index rank = 0; rank < ranks.size(); ++rank) counts.push_back((most * (2 * rank + 1)) % 14);
    right = gathers(ranks, counts) && right;
  }
  return right ? 0 : 1;
}
