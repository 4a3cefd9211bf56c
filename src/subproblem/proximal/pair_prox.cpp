// The map for one pair. Without the signs, stationarity of  step |v| + 1/2 |u - u_in|^2,  v = e0 + J u,  gives with
// e = e0 + J u_in, K = step J J' (2 x 2) and nu = |v|
//
//     (nu I + K) q = e,   q = v / |v|,        (nu I + step J'J) u = nu u_in - step J'e0,
//
// that is the scalar secular equation |(nu I + K)^{-1} e| = 1 of trust-region methods: 1 / |q(nu)| is increasing and
// concave, so Newton's method on it from the left increases monotonically to the root and converges quadratically. The
// start nu = |e| - lambda_max(K) is to the left. If |q(0)| < 1 then v = 0 at the minimum, nu = 0.
//
// K is far from small or regular for large values, so nothing is computed from it that cancels. With
//
//     A = 1 + w^2 y^2,  B = 1 + w^2 x^2,  C = 1 + w^2 x y:     J'J = w^2 [A C; C B],   det J = w^3 (x - y),
//     J'e0 = w^2 (x A, y B),   adj(J) e0 = w (B, -A),          adj(J) e = adj(J) e0 + det(J) u_in =: c,
//     D = det(nu I + K) = nu^2 + nu tr K + (step det J)^2,     D q = nu e + step adj(J)' c,
//     D u = nu^2 u_in + nu step (adj(J'J) u_in - J'e0) - step^2 det(J) adj(J) e0.
//
// Signs: the objective is strictly convex. If the free minimizer has only h < 0, the minimizer lies on the edge h = 0
// (from a point with h > 0, s = 0 the segment to the free minimizer would stay feasible and descend); likewise for s.
// If both are negative, the edge h = 0 is tried, and left for s = 0 when the derivative in h is negative there. An edge
// is the same problem with the other column of J set to zero. Vector lanes go through the cases together.

#include "subproblem/proximal/pair_prox.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "subproblem/proximal/pair_prox.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace relufit {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<double>;
using Vec = hn::Vec<Tag>;
using Mask = hn::Mask<Tag>;

// One lane per pair.
struct Pair {
  Vec h_in, s_in, x, y, w, step;
  Vec w2, a, b, c;  // w^2 and A, B, C
};

struct Minimizer {
  Vec h, s;
};

constexpr int kMaxNewton = 40;

// The minimizer without signs; columns of J multiplied by free_h, free_s (0 or 1) so that a fixed variable stays 0.
HWY_INLINE Minimizer solve_free(const Pair& pair, Vec free_h, Vec free_s) {
  const Tag tag;
  const Vec one = hn::Set(tag, 1.0);
  const Vec tiny = hn::Set(tag, 1e-290);
  const Vec jh1 = hn::Neg(hn::Mul(free_h, hn::Mul(pair.w2, pair.y)));
  const Vec js1 = hn::Neg(hn::Mul(free_s, hn::Mul(pair.w2, pair.x)));
  const Vec jh2 = hn::Mul(free_h, pair.w);
  const Vec js2 = hn::Mul(free_s, pair.w);
  const Vec e1 =
      hn::MulAdd(jh1, pair.h_in, hn::MulAdd(js1, pair.s_in, hn::NegMulAdd(pair.w2, hn::Mul(pair.x, pair.y), one)));
  const Vec e2 = hn::MulAdd(jh2, pair.h_in, hn::MulAdd(js2, pair.s_in, hn::Mul(pair.w, hn::Add(pair.x, pair.y))));

  // step J'J, adj(J) e0, step det J, c
  const Vec weight = hn::Mul(pair.step, pair.w2);
  const Vec hh = hn::Mul(free_h, hn::Mul(weight, pair.a));
  const Vec ss = hn::Mul(free_s, hn::Mul(weight, pair.b));
  const Vec hs = hn::Mul(hn::Mul(free_h, free_s), hn::Mul(weight, pair.c));
  const Vec base1 = hn::Mul(js2, pair.b);
  const Vec base2 = hn::Neg(hn::Mul(jh2, pair.a));
  const Vec volume = hn::Mul(hn::Mul(free_h, free_s), hn::Mul(hn::Mul(weight, pair.w), hn::Sub(pair.x, pair.y)));
  const Vec c1 = hn::Add(hn::Mul(pair.step, base1), hn::Mul(volume, pair.h_in));  // step c
  const Vec c2 = hn::Add(hn::Mul(pair.step, base2), hn::Mul(volume, pair.s_in));
  const Vec g1 = hn::NegMulAdd(jh2, c2, hn::Mul(js2, c1));  // step adj(J)' c
  const Vec g2 = hn::NegMulAdd(js1, c1, hn::Mul(jh1, c2));

  const Vec half = hn::Set(tag, 0.5);
  const Vec trace = hn::Add(hh, ss);
  const Vec gap = hn::Mul(half, hn::Sub(hh, ss));
  const Vec largest = hn::MulAdd(half, trace, hn::Sqrt(hn::MulAdd(gap, gap, hn::Mul(hs, hs))));
  const Vec length = hn::Sqrt(hn::MulAdd(e1, e1, hn::Mul(e2, e2)));
  // Where v = 0, Newton's method would go below zero.
  const Vec floor = hn::MulAdd(hn::Set(tag, 1e-24), length, tiny);
  const Vec volume2 = hn::MulAdd(volume, volume, tiny);
  Vec nu = hn::Max(hn::Sub(length, largest), floor);
  Mask moving = hn::Eq(nu, nu);  // a lane that is done stays: its steps are its own, whatever its neighbours need

  for (int i = 0; i < kMaxNewton; ++i) {
    const Vec scale = hn::Div(one, hn::MulAdd(nu, hn::Add(nu, trace), volume2));
    const Vec q1 = hn::Mul(hn::MulAdd(nu, e1, g1), scale);
    const Vec q2 = hn::Mul(hn::MulAdd(nu, e2, g2), scale);
    const Vec square = hn::MulAdd(q1, q1, hn::Mul(q2, q2));
    // curvature = q' (nu I + K)^{-1} q = (nu |q|^2 + step |adj(J) q|^2) / D; step of Newton on 1 / |q| - 1.
    const Vec p1 = hn::NegMulAdd(js1, q2, hn::Mul(js2, q1));
    const Vec p2 = hn::NegMulAdd(jh2, q1, hn::Mul(jh1, q2));
    const Vec adjoint = hn::Mul(pair.step, hn::MulAdd(p1, p1, hn::Mul(p2, p2)));
    const Vec curvature = hn::Mul(hn::MulAdd(nu, square, adjoint), scale);
    const Vec change = hn::Div(hn::Mul(hn::Sub(hn::Sqrt(square), one), square), hn::Max(curvature, tiny));
    const Vec next = hn::Max(hn::Add(nu, change), floor);
    // The step after this one would be about the square of it, relative to nu.
    const Mask done = hn::Le(hn::Abs(hn::Sub(next, nu)), hn::Mul(hn::Set(tag, 1e-9), nu));
    nu = hn::IfThenElse(moving, next, nu);
    moving = hn::AndNot(done, moving);
    if (hn::AllFalse(tag, moving)) break;
  }
  const Vec scale = hn::Div(one, hn::MulAdd(nu, hn::Add(nu, trace), volume2));
  const Vec middle1 = hn::MulAdd(ss, pair.h_in, hn::Neg(hn::MulAdd(hs, pair.s_in, hn::Mul(hh, pair.x))));
  const Vec middle2 = hn::MulAdd(hh, pair.s_in, hn::Neg(hn::MulAdd(hs, pair.h_in, hn::Mul(ss, pair.y))));
  const Vec last = hn::Mul(pair.step, volume);
  Minimizer result;
  result.h = hn::Mul(hn::Mul(free_h, scale),
                     hn::MulAdd(nu, hn::MulAdd(nu, pair.h_in, middle1), hn::Neg(hn::Mul(last, base1))));
  result.s = hn::Mul(hn::Mul(free_s, scale),
                     hn::MulAdd(nu, hn::MulAdd(nu, pair.s_in, middle2), hn::Neg(hn::Mul(last, base2))));
  return result;
}

// Derivative in h at (0, s >= 0): step J_h'v / |v| - h_in,  J_h'v = w^2 (x A + s C).
HWY_INLINE Vec derivative_in_h(const Pair& pair, Vec s) {
  const Tag tag;
  const Vec b = hn::Add(pair.y, s);
  const Vec v1 = hn::NegMulAdd(pair.w2, hn::Mul(pair.x, b), hn::Set(tag, 1.0));
  const Vec v2 = hn::Mul(pair.w, hn::Add(pair.x, b));
  const Vec norm = hn::Sqrt(hn::MulAdd(v1, v1, hn::Mul(v2, v2)));
  const Vec slope = hn::Div(hn::Mul(pair.w2, hn::MulAdd(pair.x, pair.a, hn::Mul(s, pair.c))), norm);
  return hn::Sub(hn::Mul(pair.step, slope), pair.h_in);
}

HWY_INLINE void solve_signed(const Pair& pair, Vec& h, Vec& s) {
  const Tag tag;
  const Vec zero = hn::Zero(tag);
  const Vec one = hn::Set(tag, 1.0);
  const Minimizer free = solve_free(pair, one, one);
  h = free.h;
  s = free.s;
  const Mask h_negative = hn::Lt(h, zero);
  const Mask s_negative = hn::Lt(s, zero);
  const Mask edge = hn::Or(h_negative, s_negative);
  if (hn::AllFalse(tag, edge)) return;

  const Minimizer on_edge =
      solve_free(pair, hn::IfThenElse(h_negative, zero, one), hn::IfThenElse(h_negative, one, zero));
  h = hn::IfThenElse(edge, hn::Max(on_edge.h, zero), h);
  s = hn::IfThenElse(edge, hn::Max(on_edge.s, zero), s);
  const Mask both = hn::And(h_negative, s_negative);
  if (hn::AllFalse(tag, both)) return;

  const Mask other = hn::And(both, hn::Lt(derivative_in_h(pair, s), zero));
  if (hn::AllFalse(tag, other)) return;
  const Minimizer on_other = solve_free(pair, one, zero);
  h = hn::IfThenElse(other, hn::Max(on_other.h, zero), h);
  s = hn::IfThenElse(other, zero, s);
}

void ProxReluPairs(Index count, double step, const double* h_in, const double* s_in, const double* x_in,
                   const double* y_in, const double* w_in, double* h_out, double* s_out) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const auto solve = [&](Index n, const double* hi, const double* si, const double* xi, const double* yi,
                         const double* wi, double* ho, double* so) HWY_ATTR {
    for (Index i = 0; i < n; i += lanes) {
      const Vec one = hn::Set(tag, 1.0);
      Pair pair;
      pair.h_in = hn::LoadU(tag, hi + i);
      pair.s_in = hn::LoadU(tag, si + i);
      pair.x = hn::LoadU(tag, xi + i);
      pair.y = hn::LoadU(tag, yi + i);
      pair.w = hn::LoadU(tag, wi + i);
      pair.step = hn::Set(tag, step);
      pair.w2 = hn::Mul(pair.w, pair.w);
      pair.a = hn::MulAdd(pair.w2, hn::Mul(pair.y, pair.y), one);
      pair.b = hn::MulAdd(pair.w2, hn::Mul(pair.x, pair.x), one);
      pair.c = hn::MulAdd(pair.w2, hn::Mul(pair.x, pair.y), one);
      Vec h;
      Vec s;
      solve_signed(pair, h, s);
      hn::StoreU(h, tag, ho + i);
      hn::StoreU(s, tag, so + i);
    }
  };
  const Index whole = count / lanes * lanes;
  solve(whole, h_in, s_in, x_in, y_in, w_in, h_out, s_out);
  if (whole == count) return;

  // The rest goes through padded copies, so that every entry sees the same arithmetic.
  constexpr std::size_t kMaxLanes = HWY_MAX_BYTES / sizeof(double);
  double pad[7][kMaxLanes] = {};
  for (std::size_t i = 0; i < kMaxLanes; ++i) pad[4][i] = 1;
  const double* sources[5] = {h_in, s_in, x_in, y_in, w_in};
  const auto rest = static_cast<std::size_t>(count - whole);
  for (std::size_t k = 0; k < 5; ++k) {
    for (std::size_t i = 0; i < rest; ++i) pad[k][i] = sources[k][static_cast<std::size_t>(whole) + i];
  }
  solve(lanes, pad[0], pad[1], pad[2], pad[3], pad[4], pad[5], pad[6]);
  for (std::size_t i = 0; i < rest; ++i) {
    h_out[static_cast<std::size_t>(whole) + i] = pad[5][i];
    s_out[static_cast<std::size_t>(whole) + i] = pad[6][i];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace relufit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace relufit {

HWY_EXPORT(ProxReluPairs);

void prox_relu_pairs(Index count, double step, const double* h_in, const double* s_in, const double* x, const double* y,
                     const double* w, double* h_out, double* s_out) {
  HWY_DYNAMIC_DISPATCH(ProxReluPairs)(count, step, h_in, s_in, x, y, w, h_out, s_out);
}

void project_relu_pairs(Index count, const double* h_in, const double* s_in, double* h_out, double* s_out) {
  for (Index i = 0; i < count; ++i) {
    const double h = h_in[i];
    const double s = s_in[i];
    h_out[i] = h >= s ? std::max(h, 0.0) : 0.0;
    s_out[i] = h >= s ? 0.0 : std::max(s, 0.0);
  }
}

}  // namespace relufit
#endif
