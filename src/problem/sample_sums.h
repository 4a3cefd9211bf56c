/// \file
/// Sums, and triangular factors, over the samples of a problem, chunk by chunk: those of all ranks (parallel/chunks.h).
#pragma once

#include <functional>

#include "parallel/chunks.h"
#include "relufit/lift.h"

namespace relufit {

/// Of term(samples), one number for consecutive samples.
template <class Term>
double sum_over(const Chunks& chunks, Term&& term) {
  ChunkSums sums(chunks, 1);
  for (Index chunk = 0; chunk < chunks.count(); ++chunk) *sums.data(chunk) = term(chunks[chunk]);
  return sums.total()(0);
}

/// Weights of these samples, empty where the problem has none.
Vector weights_of(const LiftedProblem& problem, Range samples);

/// Outputs of a ReLU output layer as its loss sees them: where the target is 0, max(0, z).
Matrix one_sided(const Matrix& outputs, const Matrix& targets);

/// The triangular factor of the QR factorization of a matrix, at most square.
Matrix triangle_of(const Matrix& tall);

/// Of a matrix with a row for every sample, of which rows(samples) are some: a matrix of `columns` columns, at most as
/// many rows, with the same Gram matrix. The factors of chunks are put together and factored again.
Matrix triangle_over(const Chunks& chunks, Index columns, const std::function<Matrix(Range)>& rows);

/// The same problem on other samples, without bounds on outputs, which are of the samples.
LiftedProblem with_samples(const LiftedProblem& problem, Matrix inputs, Matrix targets, Vector sample_weights);

/// On the samples with these numbers, of all ranks, every rank having all of them; with regularizers to their share.
LiftedProblem on_samples(const LiftedProblem& problem, const std::vector<Index>& samples);

/// Where the columns of every rank begin among those of all, and after these their number.
std::vector<Index> begins_of(const Chunks& chunks);

/// Columns with these numbers, of all ranks, on every rank.
Matrix columns_at(const Ranks* ranks, const std::vector<Index>& begins, const Matrix& mine,
                  const std::vector<Index>& columns);

}  // namespace relufit
