// Anderson acceleration: what it gives for affine maps, where it is a Krylov method, and what its safeguard does.
#include <gtest/gtest.h>

#include <Eigen/QR>

#include "subproblem/anderson.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::normal_matrix;

/// v -> A v + b with |A| = `norm`.
struct AffineMap {
  Matrix a;
  Vector b;

  AffineMap(Generator& random, Index size, double norm) : a(normal_matrix(random, size, size)) {
    a *= norm / a.jacobiSvd().singularValues()(0);
    b = normal_matrix(random, size, 1);
  }
  Vector operator()(const Vector& v) const { return a * v + b; }
};

TEST(Anderson, SolvesAnAffineFixedPointInAsManyStepsAsItHasDimensions) {
  Generator random(1);
  for (const Index size : {1, 3, 8}) {
    const AffineMap map(random, size, 0.95);
    const Vector weights = normal_matrix(random, size, 1).cwiseAbs().array() + 0.1;
    Anderson anderson(size, size + 1);
    Vector v = Vector::Zero(size);
    for (Index i = 0; i < size + 3; ++i) {
      Vector image = map(v);
      anderson.step(v, weights, image);
      v = image;
    }
    EXPECT_LE((map(v) - v).norm(), 1e-6 * map.b.norm()) << size;
  }
}

TEST(Anderson, TakesTheLeastSquaresCombinationOfItsMemoryEverySecondStep) {
  Generator random(2);
  constexpr Index kSize = 9;
  constexpr Index kMemory = 3;
  const AffineMap map(random, kSize, 0.8);
  const Vector weights = normal_matrix(random, kSize, 1).cwiseAbs().array() + 0.5;
  const auto root = weights.cwiseSqrt().asDiagonal();
  Anderson anderson(kSize, kMemory);
  std::vector<Vector> points, images;
  Vector v = normal_matrix(random, kSize, 1);
  for (int i = 0; i < 7; ++i) {
    const Vector image = map(v);
    points.push_back(v);
    images.push_back(image);
    Vector next = image;
    anderson.step(v, weights, next);
    const Index kept = std::min<Index>(i, kMemory);
    Matrix residuals(kSize, kept), changes(kSize, kept);
    for (Index k = 0; k < kept; ++k) {
      const auto last = static_cast<std::size_t>(i - k);
      residuals.col(k) = root * ((images[last] - points[last]) - (images[last - 1] - points[last - 1]));
      changes.col(k) = images[last] - images[last - 1];
    }
    Vector expected = image;
    if (i % 2 == 1) expected -= changes * residuals.householderQr().solve(root * (image - v));
    EXPECT_LE((next - expected).norm(), 1e-5 * expected.norm()) << i;  // the regularization is relative to the sizes
    v = next;
  }
}

TEST(Anderson, TakesBackAPointThatIsWorse) {
  const Vector weights = Vector::Ones(2);
  Anderson anderson(2, 2);
  Vector image(2);
  const auto step = [&](const Vector& v, const Vector& at) {
    image = at;
    anderson.step(v, weights, image);
    return image;
  };
  step(Eigen::Vector2d(0, 0), Eigen::Vector2d(1, 0));
  const Vector plain = Eigen::Vector2d(1.6, 0.5);
  const Vector accelerated = step(Eigen::Vector2d(1, 0), plain);
  ASSERT_NE(accelerated, plain);
  const Vector residual_before = plain - Eigen::Vector2d(1, 0);
  const Vector worse = accelerated + 3 * residual_before.norm() * Eigen::Vector2d(0, 1);
  EXPECT_EQ(step(accelerated, worse), plain);
  // Its memory is empty: the next image is taken as it is.
  EXPECT_EQ(step(plain, Eigen::Vector2d(2, 1)), Vector(Eigen::Vector2d(2, 1)));
  // What is not a number is worse than anything.
  ASSERT_NE(step(Eigen::Vector2d(2, 1), Eigen::Vector2d(2.2, 1.3)), Vector(Eigen::Vector2d(2.2, 1.3)));
  EXPECT_EQ(step(Eigen::Vector2d(2.3, 1.4), Vector::Constant(2, std::nan(""))), Vector(Eigen::Vector2d(2.2, 1.3)));
}

TEST(Anderson, WithoutMemoryAndAfterResetLeavesImagesAlone) {
  Generator random(3);
  const AffineMap map(random, 4, 0.9);
  const Vector weights = Vector::Ones(4);
  Anderson none(4, 0);
  Anderson reset(4, 3);
  Vector v = normal_matrix(random, 4, 1);
  for (int i = 0; i < 5; ++i) {
    Vector image = map(v);
    none.step(v, weights, image);
    EXPECT_EQ(image, map(v));
    reset.reset();
    reset.step(v, weights, image);
    EXPECT_EQ(image, map(v));
    v = image;
  }
}

TEST(Anderson, StopsAtAFixedPoint) {
  Anderson anderson(3, 2);
  const Vector weights = Vector::Ones(3);
  const Vector fixed = Vector::Constant(3, 2.0);
  for (int i = 0; i < 4; ++i) {
    Vector image = fixed;
    anderson.step(fixed, weights, image);
    EXPECT_EQ(image, fixed);
  }
}

}  // namespace
}  // namespace relufit
