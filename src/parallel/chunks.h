/// \file
/// The samples cut into chunks, and sums over them. The cut depends on the number of samples alone, and the sums of
/// chunks are added up in one tree, so that results are the same for every number of threads and ranks.
///
/// So are products of matrices with the samples as rows only chunk by chunk: how a row is rounded depends on where it
/// lies among the rows. With the samples as columns it depends on the place modulo 4, which chunks keep.
#pragma once

#include <algorithm>
#include <vector>

#include "relufit/ranks.h"

namespace relufit {

/// Consecutive columns.
struct Range {
  Index begin;
  Index size;
};

/// A block of the samples, the chunk it is of, and the thread of the team that works on it.
struct Block : Range {
  Index chunk;
  Index worker;
};

/// A fixed cut of the samples of all ranks into at most 64 chunks, each of whole passes; a rank has consecutive chunks,
/// as many as the others or one more or less. Chunks of this rank count from 0, their samples too.
class Chunks {
 public:
  static constexpr Index most = 64;
  static constexpr Index block = 128;  ///< columns a kernel works on at a time: a few arrays of them fit the L2 cache
  static constexpr Index pass = 256;   ///< columns of a pass through a network: products of them go at full speed

  /// `samples`: those of all ranks.
  explicit Chunks(Index samples, const Ranks* ranks = nullptr) : Chunks(samples, ranks, ranks ? ranks->rank() : 0) {}
  /// As rank `rank` of them has it.
  Chunks(Index samples, const Ranks* ranks, int rank);
  /// Of a problem or dataset with its share of the samples.
  template <class Samples>
  static Chunks of(const Samples& samples) {
    return Chunks(samples.total_samples(), samples.share.ranks);
  }

  Index count() const { return end_ - first_; }
  Range operator[](Index i) const { return {i * size_, std::min(size_, samples_ - (first_ + i) * size_)}; }

  /// Samples of a chunk, but the last one of all.
  Index size() const { return size_; }
  /// Chunks of all ranks, and the first of this one's.
  Index total() const { return total_; }
  Index first() const { return first_; }
  /// The samples of this rank's chunks, counted from the first of rank 0.
  Range samples() const;
  Index samples_of_all() const { return samples_; }
  const Ranks* ranks() const { return ranks_; }

 private:
  Index samples_;
  const Ranks* ranks_;
  Index size_, total_, first_, end_;
};

/// Calls `work(block)` for the blocks of a range, in order.
template <class Work>
void for_each_block(Range range, Work&& work, Index size = Chunks::block) {
  for (Index done = 0; done < range.size; done += size) {
    work(Range{range.begin + done, std::min(size, range.size - done)});
  }
}

/// As many sums as there are chunks, of `size` numbers each, and their total.
///
/// The tree: node (c, s) covers chunks c..c + s - 1 that there are, c being a multiple of s, a power of two, and is the
/// sum of nodes (c, s / 2) and (c + s / 2, s / 2). A rank adds up the nodes that lie in its chunks; the largest of
/// these are exchanged, two or so per rank, and every rank adds up the rest.
class ChunkSums {
 public:
  ChunkSums(const Chunks& chunks, Index size);

  Index size() const { return size_; }
  auto operator[](Index chunk) { return values_.col(chunk).head(size_); }
  double* data(Index chunk) { return values_.col(chunk).data(); }
  void clear(Index chunk) { values_.col(chunk).setZero(); }

  /// Adds up; the chunks' own sums are lost. Valid until one of them is written to.
  Eigen::Map<const Vector> total();

 private:
  const Ranks* ranks_;
  Range mine_;    // this rank's chunks
  Index chunks_;  // of all ranks
  Index size_;
  Matrix values_;            // one column per chunk, each from the beginning of a cache line
  std::vector<bool> there_;  // nodes that are not part of another one
  // With other ranks: which chunks' nodes they send, their numbers, and a column for every chunk to add them up.
  std::vector<std::vector<bool>> sent_;
  std::vector<Index> counts_;
  Vector mine_sent_, received_;
  Matrix nodes_;
};

}  // namespace relufit
