#include "subproblem/copies/point_blocks.h"

#include "linear_algebra/products.h"

namespace relufit {

namespace {

BilinearTerms product_terms(const LiftedPoint& point, std::size_t index) {
  return bilinear_terms(point, {BilinearEquality::Kind::product, static_cast<Index>(index) + 2});
}

}  // namespace

void add_left_block(const LiftedPoint& part, std::size_t index, const RelaxationParameters* parameters, Range block,
                    Eigen::Ref<Matrix> left) {
  BilinearTerms terms = product_terms(part, index);
  auto upper = left.topRows(terms.c.rows());
  if (parameters == nullptr) {  // A = X = 0, B + Y = 0
    upper += terms.c;
    return;
  }
  const ProductParameters& of_product = parameters->product[index];
  const auto y = parameters->values(index).middleCols(block.begin, block.size);
  add_product(terms.c, Matrix(terms.a + of_product.x), y);
  add_product(terms.c, of_product.x, terms.b);
  upper += of_product.left_scale * of_product.right_scale * terms.c;
  left.bottomRows(terms.b.rows()) += of_product.right_scale * (terms.b + y);
}

void add_right_block(const LiftedPoint& point, std::size_t index, const RelaxationParameters* parameters,
                     Eigen::Ref<Matrix> right) {
  right.bottomRows(right.cols()).diagonal().array() += 1;
  if (parameters == nullptr) return;
  const ProductParameters& of_product = parameters->product[index];
  right.topRows(right.rows() - right.cols()) +=
      product(of_product.left(), Matrix(point.unit_weights(index + 1) + of_product.x));
}

void add_general_left_block(const LiftedPoint& point, std::size_t index, const RelaxationParameters& parameters,
                            Eigen::Ref<Matrix> left) {
  const BilinearTerms terms = product_terms(point, index);
  const ProductParameters& of_product = parameters.product[index];
  const Matrix& y = parameters.values(index);
  const Matrix upper = terms.c + product(Matrix(terms.a + of_product.x), y) + product(of_product.x, terms.b);
  const Matrix scale = of_product.right(y.cols());
  left.topRows(upper.rows()) += product(product(of_product.left(), upper), scale);
  left.bottomRows(terms.b.rows()) += product(Matrix(terms.b + y), scale);
}

}  // namespace relufit
