#include "linear_algebra/products.h"

namespace relufit {

namespace {

/// Calls use(a, b) with both as they are meant.
template <class Use>
void with_factors(const Factor& a, const Factor& b, Use&& use) {
  if (a.transposed()) {
    b.transposed() ? use(a.view().transpose(), b.view().transpose()) : use(a.view().transpose(), b.view());
  } else {
    b.transposed() ? use(a.view(), b.view().transpose()) : use(a.view(), b.view());
  }
}

}  // namespace

void set_product(Eigen::Ref<Matrix> to, Factor a, Factor b) {
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
  with_factors(a, b, [&](const auto& left, const auto& right) { to.noalias() += left * right; });
}

void subtract_product(Eigen::Ref<Matrix> to, Factor a, Factor b) {
  with_factors(a, b, [&](const auto& left, const auto& right) { to.noalias() -= left * right; });
}

Matrix product(Factor a, Factor b) {
  Matrix result;
  set_product(result, a, b);
  return result;
}

}  // namespace relufit
