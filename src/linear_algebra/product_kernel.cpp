// Tiles of V vectors of rows by J columns, as many as registers hold, go along the depth: V loads of a and J broadcasts
// of b serve V J multiply-adds. Rows that do not fill the last vector are masked.

#include "linear_algebra/product_kernel.h"

#include <hwy/highway.h>

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace relufit {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<double>;
using Vec = hn::Vec<Tag>;

constexpr Index kMostVectors = 3;
constexpr Index kMostColumns = 4;

/// What the tiles of a panel of rows share.
struct Panel {
  Index depth;
  ColumnsInMemory a;
  EntriesInMemory b;
  double* to;
  Index stride;
  Update update;
  std::size_t last_lanes;  // rows in the last vector
};

HWY_INLINE Vec updated(Update update, Vec old, Vec product) {
  return update == Update::add ? hn::Add(old, product) : hn::Sub(old, product);
}

template <int V, int J>
HWY_INLINE void multiply_tile(const Panel& panel, Index column) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const auto mask = hn::FirstN(tag, panel.last_lanes);
  Vec sum[V][J];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) sum[v][j] = hn::Zero(tag);
  }
  const double* a = panel.a.data;
  const double* b = panel.b.data + column * panel.b.column_stride;
  for (Index p = 0; p < panel.depth; ++p, a += panel.a.stride, b += panel.b.row_stride) {
    Vec left[V];
#pragma GCC unroll 4
    for (int v = 0; v + 1 < V; ++v) left[v] = hn::LoadU(tag, a + v * lanes);
    left[V - 1] = hn::MaskedLoad(mask, tag, a + (V - 1) * lanes);
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) {
      const Vec right = hn::Set(tag, b[j * panel.b.column_stride]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[v][j] = hn::MulAdd(left[v], right, sum[v][j]);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < J; ++j) {
    double* to = panel.to + (column + j) * panel.stride;
#pragma GCC unroll 4
    for (int v = 0; v + 1 < V; ++v, to += lanes) {
      hn::StoreU(panel.update == Update::set ? sum[v][j] : updated(panel.update, hn::LoadU(tag, to), sum[v][j]), tag,
                 to);
    }
    const Vec last = sum[V - 1][j];
    hn::BlendedStore(panel.update == Update::set ? last : updated(panel.update, hn::MaskedLoad(mask, tag, to), last),
                     mask, tag, to);
  }
}

template <int V>
HWY_INLINE void multiply_columns(const Panel& panel, Index columns) {
  Index j = 0;
  for (; j + kMostColumns <= columns; j += kMostColumns) multiply_tile<V, kMostColumns>(panel, j);
  if (j + 2 <= columns) {
    multiply_tile<V, 2>(panel, j);
    j += 2;
  }
  if (j < columns) multiply_tile<V, 1>(panel, j);
}

/// Panels of rows, each with as many columns as `columns_of` says for the rows up to its end.
template <class ColumnsOf>
HWY_INLINE void multiply_panels(Index rows, Panel panel, ColumnsOf&& columns_of) {
  const auto lanes = static_cast<Index>(hn::Lanes(Tag()));
  for (Index i = 0; i < rows;) {
    const Index vectors = (rows - i + lanes - 1) / lanes;
    const Index taken = vectors == kMostVectors + 1 ? 2 : std::min(vectors, kMostVectors);  // 2 and 2, not 3 and 1
    const Index covered = std::min(rows - i, taken * lanes);
    panel.last_lanes = static_cast<std::size_t>(covered - (taken - 1) * lanes);
    const Index columns = columns_of(i + covered);
    if (taken == 3) {
      multiply_columns<3>(panel, columns);
    } else if (taken == 2) {
      multiply_columns<2>(panel, columns);
    } else {
      multiply_columns<1>(panel, columns);
    }
    i += covered;
    panel.a.data += covered;
    panel.to += covered;
  }
}

}  // namespace

void multiply(Index rows, Index columns, Index depth, ColumnsInMemory a, EntriesInMemory b, double* to, Index stride,
              Update update) {
  multiply_panels(rows, {depth, a, b, to, stride, update, 0}, [&](Index) { return columns; });
}

void add_lower_gram(Index rows, Index depth, ColumnsInMemory a, double* to, Index stride) {
  multiply_panels(rows, {depth, a, {a.data, a.stride, 1}, to, stride, Update::add, 0}, [](Index end) { return end; });
}

}  // namespace relufit
HWY_AFTER_NAMESPACE();
