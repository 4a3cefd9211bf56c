#include "problem/sample_sums.h"

#include <utility>

#include "linear_algebra/decompositions.h"

namespace relufit {

Vector weights_of(const LiftedProblem& problem, Range samples) {
  if (problem.sample_weights.size() == 0) return {};
  return problem.sample_weights.segment(samples.begin, samples.size);
}

Matrix one_sided(const Matrix& outputs, const Matrix& targets) {
  return (targets.array() > 0).select(outputs, outputs.cwiseMax(0.0));
}

Matrix triangle_of(const Matrix& tall) {
  const Eigen::HouseholderQR<Matrix> qr(tall);
  return qr.matrixQR().topRows(std::min(tall.rows(), tall.cols())).triangularView<Eigen::Upper>();
}

Matrix triangle_over(const Chunks& chunks, Index columns, const std::function<Matrix(Range)>& rows) {
  constexpr Index kBlock = 1024;
  Matrix factors = Matrix::Zero(columns, columns * chunks.count());  // transposed, side by side
  for (Index chunk = 0; chunk < chunks.count(); ++chunk) {
    Matrix factor(0, columns);
    const auto add = [&](Range samples) {
      Matrix tall(factor.rows() + samples.size, columns);
      tall << factor, rows(samples);
      factor = triangle_of(tall);
    };
    for_each_block(chunks[chunk], add, kBlock);
    factors.middleCols(chunk * columns, factor.rows()) = factor.transpose();
  }
  const Matrix all = gathered_columns(chunks.ranks(), factors);
  return chunks.total() == 1 ? Matrix(all.transpose()) : triangle_of(all.transpose());
}

std::vector<Index> begins_of(const Chunks& chunks) {
  std::vector<Index> begins = {0};
  const int ranks = chunks.ranks() ? chunks.ranks()->size() : 1;
  for (int rank = 0; rank < ranks; ++rank) {
    const Range theirs = Chunks(chunks.samples_of_all(), chunks.ranks(), rank).samples();
    begins.push_back(theirs.begin + theirs.size);
  }
  return begins;
}

// Every rank sends those that it has; the order of ranks is put back into that of `columns`.
Matrix columns_at(const Ranks* ranks, const std::vector<Index>& begins, const Matrix& mine,
                  const std::vector<Index>& columns) {
  if (ranks == nullptr) {
    // Column by column: twice as fast as an index of all.
    Matrix result(mine.rows(), static_cast<Index>(columns.size()));
    for (Index i = 0; i < result.cols(); ++i) result.col(i) = mine.col(columns[static_cast<std::size_t>(i)]);
    return result;
  }
  std::vector<Index> places;
  std::vector<Index> sent;
  for (int rank = 0; rank < ranks->size(); ++rank) {
    const Index begin = begins[static_cast<std::size_t>(rank)];
    const Index end = begins[static_cast<std::size_t>(rank) + 1];
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i] < begin || columns[i] >= end) continue;
      places.push_back(static_cast<Index>(i));
      if (rank == ranks->rank()) sent.push_back(columns[i] - begin);
    }
  }
  const Matrix received = gathered_columns(ranks, mine(Eigen::all, sent));
  Matrix result(mine.rows(), received.cols());
  result(Eigen::all, places) = received;
  return result;
}

LiftedProblem with_samples(const LiftedProblem& problem, Matrix inputs, Matrix targets, Vector sample_weights) {
  LiftedProblem other;
  other.inputs = std::move(inputs);
  other.targets = std::move(targets);
  other.network = problem.network;
  other.loss = problem.loss;
  other.sample_weights = std::move(sample_weights);
  other.ridge = problem.ridge;
  other.bias = problem.bias;
  other.weight_terms = problem.weight_terms;
  return other;
}

LiftedProblem on_samples(const LiftedProblem& problem, const std::vector<Index>& samples) {
  const std::vector<Index> begins = begins_of(Chunks::of(problem));
  const auto taken = [&](const Matrix& from) { return columns_at(problem.share.ranks, begins, from, samples); };
  Vector weights;
  if (problem.sample_weights.size() > 0) weights = taken(problem.sample_weights.transpose()).transpose();
  LiftedProblem part = with_samples(problem, taken(problem.inputs), taken(problem.targets), std::move(weights));
  const double share = static_cast<double>(samples.size()) / static_cast<double>(problem.total_samples());
  for (WeightTerm& term : part.weight_terms) {
    if (!is_constraint(term.kind)) term.size *= share;
  }
  return part;
}

}  // namespace relufit
