/// \file
/// Products of which one factor fits a cache: networks' weights, and sums over a block of samples. Eigen copies both
/// factors into an order of its own first, which takes as long as such products themselves.
///
/// Every entry is one sum in order of its terms, from the first to the last, with one rounding each where the
/// processor fuses: it does not depend on where the entry lies, on the vectors' width, or on what else is computed.
#pragma once

#include "relufit/matrix.h"

namespace relufit {

/// A matrix of which entries (i, j) and (i + 1, j) are neighbours in memory.
struct ColumnsInMemory {
  const double* data;
  Index stride;  ///< from one column to the next
};

/// A matrix that is read entry by entry.
struct EntriesInMemory {
  const double* data;
  Index row_stride, column_stride;
};

/// What becomes of a product a b: to = a b, to += a b, to -= a b.
enum class Update { set, add, subtract };

/// `rows` x `depth` times `depth` x `columns`, into columns that lie `stride` apart.
void multiply(Index rows, Index columns, Index depth, ColumnsInMemory a, EntriesInMemory b, double* to, Index stride,
              Update update);

/// The lower triangle of to += a a', a of `rows` x `depth`; entries above it are overwritten by others.
void add_lower_gram(Index rows, Index depth, ColumnsInMemory a, double* to, Index stride);

}  // namespace relufit
