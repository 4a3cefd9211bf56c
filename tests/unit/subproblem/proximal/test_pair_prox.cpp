// The proximal map of a ReLU pair against references that use the literal 2 x 2 block, in extended precision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <Eigen/LU>
#include <Eigen/SVD>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "subproblem/proximal/pair_prox.h"
#include "support/random.h"

namespace relufit {
namespace {

using testing_random::Generator;
using testing_random::log_uniform;
using testing_random::normal;
using testing_random::uniform;

using Real = long double;

struct Input {
  double step = 1, h = 0, s = 0, x = 0, y = 0, w = 1;
};

struct Pair {
  double h = 0, s = 0;
};

Pair prox(const Input& in) {
  Pair out;
  prox_relu_pairs(1, in.step, &in.h, &in.s, &in.x, &in.y, &in.w, &out.h, &out.s);
  return out;
}

std::ostream& operator<<(std::ostream& out, const Input& in) {
  out.precision(17);
  return out << "step " << in.step << " h_in " << in.h << " s_in " << in.s << " x " << in.x << " y " << in.y << " w "
             << in.w;
}

// M(h, s) and what its nuclear norm needs. For h, s >= 0, det M <= 0 (tested below), and where it is negative the norm
// is differentiable with gradient U V' = (M - cofactors(M)) / ||M||_*, the orthogonal polar factor.
struct Block {
  Real m11, m12, m21;  // m22 = 1

  Block(const Input& in, Real h, Real s) {
    const Real w = in.w;
    m11 = w * w * (in.y * h + in.x * s + static_cast<Real>(in.x) * in.y);
    m12 = w * (h + in.x);
    m21 = w * (s + in.y);
  }
  Real norm() const {
    const Real det = m11 - m12 * m21;
    return std::sqrt(m11 * m11 + m12 * m12 + m21 * m21 + 1 + 2 * std::abs(det));
  }
  // The part of the polar factor's first row and column that the derivatives of M meet.
  Real polar11() const { return (m11 - 1) / norm(); }
  Real polar12() const { return (m12 + m21) / norm(); }
};

struct Gradient {
  Real h, s;
};

// Of step ||M||_* + 1/2 |. - in|^2; dM/dh = [w^2 y, w; 0, 0], dM/ds = [w^2 x, 0; w, 0].
Gradient gradient(const Input& in, Real h, Real s) {
  const Block block(in, h, s);
  const Real w = in.w;
  return {in.step * w * (w * in.y * block.polar11() + block.polar12()) + (h - in.h),
          in.step * w * (w * in.x * block.polar11() + block.polar12()) + (s - in.s)};
}

// Root of an increasing function on [0, infinity), or 0 where it starts positive.
template <class Function>
Real increasing_root(Real start, Function&& function) {
  if (function(0) >= 0) return 0;
  Real low = 0;
  Real high = start;
  while (function(high) < 0) high *= 2;
  for (int i = 0; i < 200; ++i) {
    const Real middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (function(middle) < 0 ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

// Nested bisection: for every h the best s, and the derivative of the minimum in h.
Pair reference(const Input& in) {
  const Real start = 1 + std::abs(in.h) + std::abs(in.s);
  const auto best_s = [&](Real h) { return increasing_root(start, [&](Real s) { return gradient(in, h, s).s; }); };
  const Real h = increasing_root(start, [&](Real value) { return gradient(in, value, best_s(value)).h; });
  return {static_cast<double>(h), static_cast<double>(best_s(h))};
}

Real objective(const Input& in, Real h, Real s) {
  return in.step * Block(in, h, s).norm() + ((h - in.h) * (h - in.h) + (s - in.s) * (s - in.s)) / 2;
}

// Violation of the optimality conditions relative to the terms of the gradient. Where the norm is steep, even the
// rounding of the result makes gradients large: what the result's own distance from the best double (`point_noise`,
// relative to the point and the parameters, and a few ulp of the input) makes of the gradient is counted as one of its
// terms.
double optimality_error(const Input& in, const Pair& u, Real point_noise) {
  const Gradient g = gradient(in, u.h, u.s);
  const Real w = in.w;
  const Real jh = w * std::hypot(w * in.y, Real{1});
  const Real js = w * std::hypot(w * in.x, Real{1});
  const Real point = std::abs(Real{u.h}) + std::abs(Real{u.s}) + std::abs(Real{in.x}) + std::abs(Real{in.y});
  const Real input = std::abs(Real{in.h}) + std::abs(Real{in.s});
  const Real bend = point_noise * in.step * (jh + js) * (point + 1e-5L * input) / Block(in, u.h, u.s).norm();
  const auto error = [&](Real slope, Real value, Real from, Real j) {
    const Real violation = value > 0 ? std::abs(slope) : std::max(Real{0}, -slope);
    return violation / (in.step * j + std::abs(value) + std::abs(from) + j * bend);
  };
  if (!(u.h >= 0 && u.s >= 0)) return std::numeric_limits<double>::infinity();
  return static_cast<double>(std::max(error(g.h, u.h, in.h, jh), error(g.s, u.s, in.s, js)));
}

Input moderate_input(Generator& random) {
  const double size = log_uniform(random, -1, 1);
  return {log_uniform(random, -2, 2), size * normal(random), size * normal(random),
          size * normal(random),      size * normal(random), log_uniform(random, -1.3, 0.7)};
}

Input extreme_input(Generator& random) {
  const auto value = [&] {
    const double kind = uniform(random, 0, 1);
    if (kind < 0.15) return 0.0;
    return (kind < 0.5 ? -1 : 1) * log_uniform(random, -6, 6);
  };
  Input in{log_uniform(random, -6, 6), value(), value(), value(), value(), log_uniform(random, -3, 3)};
  // Ties: the parameters are the values themselves, or each other, as they are at a feasible point.
  const double tie = uniform(random, 0, 1);
  if (tie < 0.2) in.y = in.x;
  if (tie > 0.4 && tie < 0.6) in.x = -in.h;
  if (tie > 0.5 && tie < 0.7) in.y = -in.s;
  if (tie > 0.9) in.s = in.h;
  return in;
}

TEST(ProxPair, NuclearNormIsEuclideanNormOfAffineMap) {
  Generator random(1);
  for (int i = 0; i < 2000; ++i) {
    const Input in = moderate_input(random);
    const double h = std::abs(in.h);
    const double s = std::abs(in.s);
    const double w = in.w;
    const double r = in.y * h + in.x * s + in.x * in.y;
    Eigen::Matrix2d block;
    block << w * w * r, w * (h + in.x), w * (s + in.y), 1;
    const Eigen::Vector2d v(1 - w * w * r, w * (h + in.x + s + in.y));
    const double norm = block.jacobiSvd().singularValues().sum();
    EXPECT_NEAR(v.norm(), norm, 1e-13 * norm) << in;
    EXPECT_LE(block.determinant(), 1e-13 * block.squaredNorm()) << in;
    EXPECT_NEAR(static_cast<double>(Block(in, h, s).norm()), norm, 1e-13 * norm) << in;
  }
}

// The reference's own gradient, against finite differences of the singular values.
TEST(ProxPair, ReferenceGradientIsThatOfTheSingularValues) {
  Generator random(2);
  for (int i = 0; i < 200; ++i) {
    Input in = moderate_input(random);
    const Real h = std::abs(in.h) + 0.1;
    const Real s = std::abs(in.s) + 0.1;
    const auto value = [&](Real hh, Real ss) {
      const Block b(in, hh, ss);
      Eigen::Matrix<Real, 2, 2> block;
      block << b.m11, b.m12, b.m21, 1;
      const Real norm = Eigen::JacobiSVD<Eigen::Matrix<Real, 2, 2>>(block).singularValues().sum();
      return in.step * norm + ((hh - in.h) * (hh - in.h) + (ss - in.s) * (ss - in.s)) / 2;
    };
    const Real d = 1e-6L;
    const Gradient g = gradient(in, h, s);
    const auto scale = static_cast<double>(1 + 10 * std::abs(value(h, s)));
    EXPECT_NEAR(static_cast<double>((value(h + d, s) - value(h - d, s)) / (2 * d) - g.h), 0, 1e-8 * scale) << in;
    EXPECT_NEAR(static_cast<double>((value(h, s + d) - value(h, s - d)) / (2 * d) - g.s), 0, 1e-8 * scale) << in;
  }
}

TEST(ProxPair, AgreesWithNestedBisection) {
  Generator random(3);
  int kinds[4] = {};
  for (int i = 0; i < 400; ++i) {
    const Input in = moderate_input(random);
    const Pair expected = reference(in);
    const Pair got = prox(in);
    const double scale = std::abs(in.h) + std::abs(in.s) + expected.h + expected.s + 1e-3;
    EXPECT_NEAR(got.h, expected.h, 1e-11 * scale) << in;
    EXPECT_NEAR(got.s, expected.s, 1e-11 * scale) << in;
    ++kinds[(got.h > 0 ? 1 : 0) + (got.s > 0 ? 2 : 0)];
  }
  for (const int kind : kinds) EXPECT_GT(kind, 20);  // all four sign cases are met
}

TEST(ProxPair, AgreesWithNestedBisectionOnChosenInput) {
  const double values[] = {0.0, 1.0, -1.0, 1e-6, -1e-6, 1e3, -1e3};
  Generator random(4);
  for (int i = 0; i < 1500; ++i) {
    const auto pick = [&] { return values[random() % std::size(values)]; };
    Input in{std::pow(10.0, static_cast<double>(random() % 7) - 3), pick(), pick(), pick(), pick(),
             std::pow(10.0, static_cast<double>(random() % 5) - 2)};
    const Pair got = prox(in);
    const Pair expected = reference(in);
    // The objective is 1-strongly convex: its excess bounds the distance.
    const Real best = objective(in, expected.h, expected.s);
    const Real excess = objective(in, got.h, got.s) - best;
    ASSERT_LE(static_cast<double>(excess / best), 1e-15) << in;
  }
}

// A point that no neighbour on a grid around it beats: no derivative, no identity, the singular values alone.
TEST(ProxPair, NoGridPointIsBetter) {
  Generator random(5);
  for (int i = 0; i < 100; ++i) {
    const Input in = moderate_input(random);
    const Pair got = prox(in);
    const auto value = [&](double h, double s) {
      Eigen::Matrix2d block;
      const double r = in.y * h + in.x * s + in.x * in.y;
      block << in.w * in.w * r, in.w * (h + in.x), in.w * (s + in.y), 1;
      return in.step * block.jacobiSvd().singularValues().sum() + 0.5 * std::pow(h - in.h, 2) +
             0.5 * std::pow(s - in.s, 2);
    };
    const double best = value(got.h, got.s);
    const double top = 2 * (1 + std::abs(in.h) + std::abs(in.s) + std::abs(in.x) + std::abs(in.y));
    for (const double width : {top, 1e-1, 1e-3}) {
      for (int k = -10; k <= 10; ++k) {
        for (int j = -10; j <= 10; ++j) {
          const double h = std::max(0.0, got.h + k * width / 10);
          const double s = std::max(0.0, got.s + j * width / 10);
          ASSERT_GE(value(h, s), best - 1e-13 * best) << in << " better: " << h << " " << s;
        }
      }
    }
  }
}

TEST(ProxPair, OptimalOnModerateInput) {
  Generator random(6);
  double worst = 0;
  for (int i = 0; i < 100000; ++i) {
    const Input in = moderate_input(random);
    const double error = optimality_error(in, prox(in), 0);
    worst = std::max(worst, error);
    ASSERT_LE(error, 1e-10) << in;
  }
  RecordProperty("worst", fmt::format("{:.1e}", worst));
}

TEST(ProxPair, OptimalOnExtremeInput) {
  Generator random(7);
  double worst = 0;
  for (int i = 0; i < 200000; ++i) {
    const Input in = extreme_input(random);
    const double error = optimality_error(in, prox(in), 1);
    worst = std::max(worst, error);
    ASSERT_LE(error, 1e-10) << in << " -> " << prox(in).h << ", " << prox(in).s;
  }
  RecordProperty("worst", fmt::format("{:.1e}", worst));
}

TEST(ProxPair, Nonexpansive) {
  Generator random(8);
  for (int i = 0; i < 20000; ++i) {
    const Input first = i % 2 == 0 ? moderate_input(random) : extreme_input(random);
    Input second = first;
    const double apart = log_uniform(random, -6, 1) * (std::abs(first.h) + std::abs(first.s) + 1e-3);
    second.h += apart * normal(random);
    second.s += apart * normal(random);
    const Pair a = prox(first);
    const Pair b = prox(second);
    const double moved = std::hypot(a.h - b.h, a.s - b.s);
    const double allowed = std::hypot(first.h - second.h, first.s - second.s);
    const double rounding = 1e-11 * (std::abs(first.h) + std::abs(first.s) + a.h + a.s);
    ASSERT_LE(moved, allowed + rounding) << first << " and h " << second.h << " s " << second.s;
  }
}

struct Batch {
  std::vector<double> h, s, x, y, w;

  Batch(Generator& random, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const Input in = moderate_input(random);
      h.push_back(in.h);
      s.push_back(in.s);
      x.push_back(in.x);
      y.push_back(in.y);
      w.push_back(in.w);
    }
  }
};

// An entry's bits are its own, whatever its neighbours, its place, and the width of the vectors: on each of the
// instruction sets that this processor has and the library is compiled for.
TEST(ProxPair, EveryEntryHasItsOwnBits) {
  std::vector<std::vector<double>> fused;
  for (const PairKernel& kernel : pair_kernels()) {
    Generator random(9);
    std::size_t run = 0;
    for (const std::size_t count : {1U, 2U, 3U, 4U, 5U, 8U, 9U, 31U, 1000U}) {
      const Batch in(random, count);
      const double step = log_uniform(random, -3, 3);
      std::vector<double> h(count), s(count);
      kernel.minimize(static_cast<Index>(count), step, in.h.data(), in.s.data(), in.x.data(), in.y.data(), in.w.data(),
                      h.data(), s.data());
      for (std::size_t i = 0; i < count; ++i) {
        double alone[2];
        kernel.minimize(1, step, &in.h[i], &in.s[i], &in.x[i], &in.y[i], &in.w[i], &alone[0], &alone[1]);
        EXPECT_EQ(h[i], alone[0]);
        EXPECT_EQ(s[i], alone[1]);
      }
      if (!kernel.fuses) continue;
      h.insert(h.end(), s.begin(), s.end());
      if (fused.size() == run) fused.push_back(h);
      EXPECT_EQ(h, fused[run]) << kernel.instruction_set;
      ++run;
    }
  }
}

TEST(ProxPair, ReflectionIsTwiceTheMinimizerLessTheInput) {
  Generator random(12);
  for (const std::size_t count : {1U, 5U, 8U, 1003U}) {
    const Batch in(random, count);
    std::vector<double> h(count), s(count), reflected_h(count), reflected_s(count);
    const auto n = static_cast<Index>(count);
    prox_relu_pairs(n, 0.3, in.h.data(), in.s.data(), in.x.data(), in.y.data(), in.w.data(), h.data(), s.data());
    reflect_relu_pairs(n, 0.3, in.h.data(), in.s.data(), in.x.data(), in.y.data(), in.w.data(), reflected_h.data(),
                       reflected_s.data());
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(reflected_h[i], 2 * h[i] - in.h[i]);
      EXPECT_EQ(reflected_s[i], 2 * s[i] - in.s[i]);
    }
  }
}

TEST(ProxPair, InPlaceIsBitwiseTheSame) {
  Generator random(10);
  for (const std::size_t count : {1U, 2U, 3U, 7U, 8U, 13U, 64U, 1001U}) {
    const Batch in(random, count);
    std::vector<double> h(count), s(count);
    std::vector<double> h_in_place = in.h;
    std::vector<double> s_in_place = in.s;
    const auto n = static_cast<Index>(count);
    prox_relu_pairs(n, 0.3, in.h.data(), in.s.data(), in.x.data(), in.y.data(), in.w.data(), h.data(), s.data());
    prox_relu_pairs(n, 0.3, h_in_place.data(), s_in_place.data(), in.x.data(), in.y.data(), in.w.data(),
                    h_in_place.data(), s_in_place.data());
    EXPECT_EQ(0, std::memcmp(h.data(), h_in_place.data(), count * sizeof(double)));
    EXPECT_EQ(0, std::memcmp(s.data(), s_in_place.data(), count * sizeof(double)));
  }
}

TEST(ProxPair, WritesNothingPastTheEnd) {
  Generator random(11);
  for (std::size_t count = 0; count <= 17; ++count) {
    const Batch in(random, count + 1);
    std::vector<double> h(count + 1, -7.0), s(count + 1, -7.0);
    prox_relu_pairs(static_cast<Index>(count), 1.0, in.h.data(), in.s.data(), in.x.data(), in.y.data(), in.w.data(),
                    h.data(), s.data());
    EXPECT_EQ(h[count], -7.0);
    EXPECT_EQ(s[count], -7.0);
    for (std::size_t i = 0; i < count; ++i) EXPECT_GE(std::min(h[i], s[i]), 0.0);
  }
}

// Both inputs negative enough: the corner is the minimizer; a step too small to matter returns the positive parts.
TEST(ProxPair, Limits) {
  const Pair corner = prox({1.0, -10, -10, 0.5, 0.5, 1.0});
  EXPECT_EQ(corner.h, 0);
  EXPECT_EQ(corner.s, 0);
  const Pair same = prox({1e-18, 2.0, -3.0, 0.5, -0.5, 1.0});
  EXPECT_NEAR(same.h, 2.0, 1e-15);
  EXPECT_EQ(same.s, 0);
  // X = -A, Y = -B at a feasible pair: the norm attains its minimum 1 there, so the pair is a fixed point.
  for (const double h : {1e-6, 1.0, 1e6}) {
    const Pair fixed = prox({3.0, h, 0, -h, 0, 1.3});
    EXPECT_NEAR(fixed.h, h, 1e-13 * h);
    EXPECT_NEAR(fixed.s, 0, 1e-13 * h);
  }
}

}  // namespace
}  // namespace relufit
