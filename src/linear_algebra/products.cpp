#include "linear_algebra/products.h"

#include <array>

#include "linear_algebra/product_kernel.h"

namespace relufit {

namespace {

constexpr Index kLargestLeft = 16384;        // entries of a left factor that stays in the cache: 128 kB
constexpr Index kLargestTransposed = 2048;   // of one that is written out first
constexpr Index kFewestRows = 2;             // a product of a row, or with a column, is bound by the other factor

bool is_small(const Factor& a, const Factor& b) {
  return a.rows() >= kFewestRows && b.cols() > 1 && a.rows() * a.cols() <= (a.transposed() ? kLargestTransposed : kLargestLeft);
}

EntriesInMemory entries(const Factor& factor) {
  const auto view = factor.view();
  return factor.transposed() ? EntriesInMemory{view.data(), view.outerStride(), 1}
                             : EntriesInMemory{view.data(), 1, view.outerStride()};
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

void multiply_small(Eigen::Ref<Matrix> to, const Factor& a, const Factor& b, Update update) {
  const auto view = a.view();
  ColumnsInMemory left{view.data(), view.outerStride()};
  std::array<double, kLargestTransposed> written;  // NOLINT(cppcoreguidelines-pro-type-member-init): set where read
  if (a.transposed()) {
    Eigen::Map<Matrix>(written.data(), a.rows(), a.cols()) = view.transpose();
    left = {written.data(), a.rows()};
  }
  multiply(a.rows(), b.cols(), a.cols(), left, entries(b), to.data(), to.outerStride(), update);
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
  const auto view = a.view();
  if (!a.transposed() && a.rows() * a.cols() <= kLargestLeft) {
    return add_lower_gram(a.rows(), a.cols(), {view.data(), view.outerStride()}, to.data(), to.outerStride());
  }
  auto lower = to.selfadjointView<Eigen::Lower>();
  a.transposed() ? lower.rankUpdate(view.transpose()) : lower.rankUpdate(view);
}

Matrix product(Factor a, Factor b) {
  Matrix result;
  set_product(result, a, b);
  return result;
}

}  // namespace relufit
