#include "subproblem/copies/point_blocks.h"

#include "linear_algebra/products.h"

namespace relufit {

namespace {

BilinearTerms product_terms(const LiftedPoint& point, std::size_t index) {
  return bilinear_terms(point, {BilinearEquality::Kind::product, static_cast<Index>(index) + 2});
}

}  // namespace

void add_left_block(const LiftedPoint& part, std::size_t index, const ProductParameters* parameters, Range block,
                    Eigen::Ref<Matrix> left) {
  BilinearTerms terms = product_terms(part, index);
  auto upper = left.topRows(terms.c.rows());
  if (parameters == nullptr) {  // A = X = 0, B + Y = 0
    upper += terms.c;
    return;
  }
  const auto y = parameters->y.middleCols(block.begin, block.size);
  add_product(terms.c, Matrix(terms.a + parameters->x), y);
  add_product(terms.c, parameters->x, terms.b);
  upper += parameters->left_scale * parameters->right_scale * terms.c;
  left.bottomRows(terms.b.rows()) += parameters->right_scale * (terms.b + y);
}

void add_right_block(const LiftedPoint& point, std::size_t index, const ProductParameters* parameters,
                     Eigen::Ref<Matrix> right) {
  right.bottomRows(right.cols()).diagonal().array() += 1;
  if (parameters == nullptr) return;
  right.topRows(right.rows() - right.cols()) +=
      product(parameters->left(), Matrix(point.unit_weights(index + 1) + parameters->x));
}

void add_general_left_block(const LiftedPoint& point, std::size_t index, const ProductParameters& parameters,
                            Eigen::Ref<Matrix> left) {
  const BilinearTerms terms = product_terms(point, index);
  const Matrix upper = terms.c + product(Matrix(terms.a + parameters.x), parameters.y) + product(parameters.x, terms.b);
  left.topRows(upper.rows()) += product(product(parameters.left(), upper), parameters.right());
  left.bottomRows(terms.b.rows()) += product(Matrix(terms.b + parameters.y), parameters.right());
}

}  // namespace relufit
