#include "linear_algebra/products.h"

#include <algorithm>
#include <array>

#include "linear_algebra/product_kernel.h"

namespace relufit {

namespace {

constexpr Index kLeft = 16384;       // entries of a left factor that stay in the cache: 128 kB
constexpr Index kTransposed = 2048;  // of one that is written out first
constexpr Index kMostRows = 256;     // with more, Eigen's own blocks are as good
constexpr Index kPacked = 12288;  // entries that Eigen packs on the stack: 96 kB. On the heap they would be given back
                                  // to the system and asked for anew, which costs as much as a small product

/// A product of a row, or with a column, is bound by reading the other factor: Eigen's go along it.
bool is_small(const Factor& a, const Factor& b) {
  return a.rows() > 1 && b.cols() > 1 && a.rows() <= (a.transposed() ? kTransposed / 16 : kMostRows);
}

/// Calls use(a, b) with both as they are meant.
template <class Use>
void with_factors(const Factor& a, const Factor& b, Use&& use) {
  if (a.transposed()) {
    b.transposed() ? use(a.view().transpose(), b.view().transpose()) : use(a.view().transpose(), b.view());
  } else {
    b.transposed() ? use(a.view(), b.view().transpose()) : use(a.view(), b.view());
  }
}

/// Block by block along the depth, as many columns of a as stay in the cache.
void multiply_small(Eigen::Ref<Matrix> to, const Factor& a, const Factor& b, Update update) {
  if (a.cols() == 0) {
    if (update == Update::set) to.setZero();
    return;
  }
  const auto left = a.view();
  const auto right = b.view();
  std::array<double, kTransposed> written;  // NOLINT(cppcoreguidelines-pro-type-member-init): read where it was set
  const Index most = (a.transposed() ? kTransposed : kLeft) / a.rows();
  for (Index done = 0; done < a.cols(); done += most) {
    const Index depth = std::min(most, a.cols() - done);
    ColumnsInMemory columns{left.data() + done * left.outerStride(), left.outerStride()};
    if (a.transposed()) {
      Eigen::Map<Matrix>(written.data(), a.rows(), depth) = left.middleRows(done, depth).transpose();
      columns = {written.data(), a.rows()};
    }
    const EntriesInMemory entries =
        b.transposed() ? EntriesInMemory{right.data() + done * right.outerStride(), right.outerStride(), 1}
                       : EntriesInMemory{right.data() + done, 1, right.outerStride()};
    multiply(a.rows(), b.cols(), depth, columns, entries, to.data(), to.outerStride(), update);
    if (update == Update::set) update = Update::add;
  }
}

}  // namespace

void set_product(Eigen::Ref<Matrix> to, Factor a, Factor b) {
  if (is_small(a, b)) return multiply_small(to, a, b, Update::set);
  with_factors(a, b, [&](const auto& left, const auto& right) { to.noalias() = left * right; });
}

void set_product(Matrix& to, Factor a, Factor b) {
  to.resize(a.rows(), b.cols());
  set_product(Eigen::Ref<Matrix>(to), a, b);
}

void set_product(Vector& to, Factor a, Factor b) {
  to.resize(a.rows());
  set_product(Eigen::Ref<Matrix>(to), a, b);
}

void add_product(Eigen::Ref<Matrix> to, Factor a, Factor b) {
  if (is_small(a, b)) return multiply_small(to, a, b, Update::add);
  with_factors(a, b, [&](const auto& left, const auto& right) { to.noalias() += left * right; });
}

void subtract_product(Eigen::Ref<Matrix> to, Factor a, Factor b) {
  if (is_small(a, b)) return multiply_small(to, a, b, Update::subtract);
  with_factors(a, b, [&](const auto& left, const auto& right) { to.noalias() -= left * right; });
}

void add_lower_gram(Eigen::Ref<Matrix> to, Factor a) {
  if (a.cols() == 0) return;  // Eigen would divide by it
  const auto view = a.view();
  auto lower = to.selfadjointView<Eigen::Lower>();
  if (a.transposed()) {
    const Index most = std::max<Index>(8, kPacked / std::max<Index>(a.rows(), 1));
    for (Index done = 0; done < a.cols(); done += most) {
      lower.rankUpdate(view.middleRows(done, std::min(most, a.cols() - done)).transpose());
    }
  } else if (a.rows() > kMostRows) {
    lower.rankUpdate(view);
  } else if (a.rows() > 0) {
    const Index most = kLeft / a.rows();
    for (Index done = 0; done < a.cols(); done += most) {
      add_lower_gram(a.rows(), std::min(most, a.cols() - done),
                     {view.data() + done * view.outerStride(), view.outerStride()}, to.data(), to.outerStride());
    }
  }
}

Matrix product(Factor a, Factor b) {
  Matrix result;
  set_product(result, a, b);
  return result;
}

}  // namespace relufit
