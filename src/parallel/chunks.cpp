#include "parallel/chunks.h"

namespace relufit {

namespace {

/// `columns` numbers of columns in whole cache lines.
Index padded(Index size) {
  constexpr Index kLine = 8;
  return kLine * ((size + kLine - 1) / kLine);
}

/// Adds up the nodes that lie in `mine` of all chunks. Column i of the values, if there is any, is the node that begins
/// with chunk mine.begin + i; `there` says which there are, and on return which are left.
void add_up(Index chunks, Range mine, std::vector<bool>& there, Matrix* values) {
  const Index end = mine.begin + mine.size;
  for (Index step = 1; step < chunks; step *= 2) {
    const Index first = 2 * step * ((mine.begin + 2 * step - 1) / (2 * step));
    for (Index c = first; c + step < end && std::min(c + 2 * step, chunks) <= end; c += 2 * step) {
      const Index left = c - mine.begin;
      const auto right = there.begin() + (left + step);
      if (!*right) continue;  // was added before it came here
      if (values != nullptr) values->col(left) += values->col(left + step);
      *right = false;
    }
  }
}

}  // namespace

Chunks::Chunks(Index samples, const Ranks* ranks, int rank)
    : samples_(samples), ranks_(ranks), size_(pass * ((samples + most * pass - 1) / (most * pass))) {
  total_ = size_ == 0 ? 0 : (samples + size_ - 1) / size_;
  const Index count = ranks ? ranks->size() : 1;
  first_ = total_ * rank / count;
  end_ = total_ * (rank + 1) / count;
}

Range Chunks::samples() const {
  const Index begin = std::min(first_ * size_, samples_);
  return {begin, std::min(end_ * size_, samples_) - begin};
}

ChunkSums::ChunkSums(const Chunks& chunks, Index size)
    : ranks_(chunks.ranks()),
      mine_{chunks.first(), chunks.count()},
      chunks_(chunks.total()),
      size_(size),
      values_(Matrix::Zero(padded(size), std::max<Index>(chunks.count(), 1))),
      there_(static_cast<std::size_t>(chunks_)) {
  if (ranks_ == nullptr) return;
  for (int r = 0; r < ranks_->size(); ++r) {
    const Chunks theirs(chunks.samples_of_all(), ranks_, r);
    sent_.emplace_back(static_cast<std::size_t>(theirs.count()), true);
    add_up(chunks_, {theirs.first(), theirs.count()}, sent_.back(), nullptr);
    counts_.push_back(size_ * std::count(sent_.back().begin(), sent_.back().end(), true));
  }
  mine_sent_.resize(counts_[static_cast<std::size_t>(ranks_->rank())]);
  Index all = 0;
  for (const Index count : counts_) all += count;
  received_.resize(all);
  nodes_.resize(values_.rows(), chunks_);
}

Eigen::Map<const Vector> ChunkSums::total() {
  there_.assign(static_cast<std::size_t>(mine_.size), true);
  add_up(chunks_, mine_, there_, &values_);
  if (ranks_ == nullptr) return {values_.data(), size_};
  Index at = 0;
  for (Index c = 0; c < mine_.size; ++c) {
    if (!there_[static_cast<std::size_t>(c)]) continue;
    mine_sent_.segment(at, size_) = values_.col(c).head(size_);
    at += size_;
  }
  ranks_->gather(mine_sent_.data(), counts_, received_.data());
  there_.clear();
  at = 0;
  for (const std::vector<bool>& theirs : sent_) {
    for (const bool sent : theirs) {
      there_.push_back(sent);
      if (!sent) continue;
      nodes_.col(static_cast<Index>(there_.size()) - 1).head(size_) = received_.segment(at, size_);
      at += size_;
    }
  }
  add_up(chunks_, {0, chunks_}, there_, &nodes_);
  return {nodes_.data(), size_};
}

}  // namespace relufit
