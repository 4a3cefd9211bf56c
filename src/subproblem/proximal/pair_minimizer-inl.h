/// \file
/// The proximal map of pair_prox.h for vectors of pairs, each pair in a lane of its own; for every instruction set that
/// pair_prox.cpp compiles. The bits of a lane do not depend on its neighbours. A step towards a root waits for square
/// roots and quotients most of its time, so that several vectors go together.

// The map for one pair. Without the signs, stationarity of  step |v| + 1/2 |u - u_in|^2,  v = e0 + J u,  gives with
// e = e0 + J u_in, K = step J J' (2 x 2) and nu = |v|
//
//     (nu I + K) q = e,   q = v / |v|,        (nu I + step J'J) u = nu u_in - step J'e0,
//
// that is the scalar secular equation |(nu I + K)^{-1} e| = 1 of trust-region methods: 1 / |q(nu)| is increasing and
// concave, so Newton's method on it from the left increases monotonically to the root and converges quadratically. The
// start nu = |e| - e'K e / |e|^2 is to the left, since the squares |e_i / (nu + K_i)|^2 are convex in K_i. If |q(0)| <
// 1 then v = 0 at the minimum, nu = 0.
//
// K is far from small or regular for large values, so nothing is computed from it that cancels. With
//
//     A = 1 + w^2 y^2,  B = 1 + w^2 x^2,  C = 1 + w^2 x y:     J'J = w^2 [A C; C B],   det J = w^3 (x - y),
//     J'e0 = w^2 (x A, y B),   adj(J) e0 = w (B, -A),          adj(J) e = adj(J) e0 + det(J) u_in =: c,
//     D = det(nu I + K) = nu^2 + nu tr K + (step det J)^2,     D q = nu e + step adj(J)' c,
//     D u = nu^2 u_in + nu step (adj(J'J) u_in - J'e0) - step^2 det(J) adj(J) e0.
//
// Signs: the objective is strictly convex. A minimizer on an edge, say h = 0, is the minimizer of the problem where the
// derivative in h is not negative there; where that holds on neither edge, it is the free one. On the edge h = 0 the
// norm factorizes,
//
//     |v|^2 = (1 + w^2 x^2) (1 + beta^2),   beta = w (s + y),
//
// and the minimizer without the sign of s solves one scalar equation,
//
//     beta (1 + T / sqrt(1 + beta^2)) = p,    T = step w^2 sqrt(1 + w^2 x^2),   p = w (s_in + y).
//
// The left side is odd, and for beta >= 0 increasing and concave with the root in [max(p / (1 + T), p - T), p]:
// Halley's method, kept in there, from the root's expansion p / (1 + T) + T / (2 (1 + T)) (p / (1 + T))^3 + ..., mostly
// ends after one step or two. Likewise on the edge s = 0, with (h, x) and (s, y) exchanged.
//
// Most pairs end on the edge of their larger input (near complementarity all but one in thirty to three hundred), so
// that one comes first.
//
// U is the number of vectors, a loop over u goes through them.

#if defined(RELUFIT_PAIR_MINIMIZER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RELUFIT_PAIR_MINIMIZER_INL_H_
#undef RELUFIT_PAIR_MINIMIZER_INL_H_
#else
#define RELUFIT_PAIR_MINIMIZER_INL_H_
#endif

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
  Vec w2;  // w^2
};

struct Minimizer {
  Vec h, s;
};

constexpr int kMostSteps = 40;
constexpr double kTiny = 1e-290;

// Steps of all vectors until no lane of any moves. A lane that is done stays: its steps are its own, whatever its
// neighbours need.
template <int U, class Root>
HWY_INLINE void find_roots(Root (&roots)[U]) {
  for (int i = 0; i < kMostSteps; ++i) {
    step(roots[0]);
    Mask moving = roots[0].moving;
    HWY_UNROLL(4)
    for (int u = 1; u < U; ++u) {
      step(roots[u]);
      moving = hn::Or(moving, roots[u].moving);
    }
    if (hn::AllFalse(Tag(), moving)) return;
  }
}

// The secular equation for nu, and what the minimizer without signs follows from. J = [jh1 js1; w w].
struct SecularRoot {
  Vec w, step, jh1, js1;
  Vec e1, e2, g1, g2;    // e, step adj(J)' c
  Vec trace, volume2;    // D = nu (nu + trace) + volume2
  Vec middle1, middle2;  // step (adj(J'J) u_in - J'e0)
  Vec last1, last2;      // step^2 det(J) adj(J) e0
  Vec floor;             // of nu: where v = 0, Newton's method would go below zero
  Vec nu;
  Mask moving;
};

// 1 / D
HWY_INLINE Vec inverse_determinant(const SecularRoot& of) {
  return hn::Div(hn::Set(Tag(), 1.0), hn::MulAdd(of.nu, hn::Add(of.nu, of.trace), of.volume2));
}

HWY_INLINE void step(SecularRoot& of) {
  const Tag tag;
  const Vec one = hn::Set(tag, 1.0);
  const Vec scale = inverse_determinant(of);
  const Vec q1 = hn::Mul(hn::MulAdd(of.nu, of.e1, of.g1), scale);
  const Vec q2 = hn::Mul(hn::MulAdd(of.nu, of.e2, of.g2), scale);
  const Vec square = hn::MulAdd(q1, q1, hn::Mul(q2, q2));
  // curvature = q' (nu I + K)^{-1} q = (nu |q|^2 + step |adj(J) q|^2) / D; step of Newton on 1 / |q| - 1.
  const Vec p1 = hn::NegMulAdd(of.js1, q2, hn::Mul(of.w, q1));
  const Vec p2 = hn::NegMulAdd(of.w, q1, hn::Mul(of.jh1, q2));
  const Vec adjoint = hn::Mul(of.step, hn::MulAdd(p1, p1, hn::Mul(p2, p2)));
  const Vec curvature = hn::Mul(hn::MulAdd(of.nu, square, adjoint), scale);
  const Vec change = hn::Div(hn::Mul(hn::Sub(hn::Sqrt(square), one), square), hn::Max(curvature, hn::Set(tag, kTiny)));
  const Vec next = hn::Max(hn::Add(of.nu, change), of.floor);
  // The step after this one would be about the square of it, relative to nu.
  const Mask done = hn::Le(hn::Abs(hn::Sub(next, of.nu)), hn::Mul(hn::Set(tag, 1e-8), of.nu));
  of.nu = hn::IfThenElse(of.moving, next, of.nu);
  of.moving = hn::AndNot(done, of.moving);
}

// At the start of Newton's method.
HWY_INLINE SecularRoot secular_root(const Pair& pair) {
  const Tag tag;
  const Vec one = hn::Set(tag, 1.0);
  const Vec tiny = hn::Set(tag, kTiny);
  const Vec jh1 = hn::Neg(hn::Mul(pair.w2, pair.y));
  const Vec js1 = hn::Neg(hn::Mul(pair.w2, pair.x));
  const Vec e1 =
      hn::MulAdd(jh1, pair.h_in, hn::MulAdd(js1, pair.s_in, hn::NegMulAdd(pair.w2, hn::Mul(pair.x, pair.y), one)));
  const Vec e2 = hn::MulAdd(pair.w, pair.h_in, hn::MulAdd(pair.w, pair.s_in, hn::Mul(pair.w, hn::Add(pair.x, pair.y))));

  const Vec a = hn::MulAdd(pair.w2, hn::Mul(pair.y, pair.y), one);
  const Vec b = hn::MulAdd(pair.w2, hn::Mul(pair.x, pair.x), one);
  const Vec c = hn::MulAdd(pair.w2, hn::Mul(pair.x, pair.y), one);

  // step J'J, adj(J) e0, step det J, c
  const Vec weight = hn::Mul(pair.step, pair.w2);
  const Vec hh = hn::Mul(weight, a);
  const Vec ss = hn::Mul(weight, b);
  const Vec hs = hn::Mul(weight, c);
  const Vec base1 = hn::Mul(pair.w, b);
  const Vec base2 = hn::Neg(hn::Mul(pair.w, a));
  const Vec volume = hn::Mul(hn::Mul(weight, pair.w), hn::Sub(pair.x, pair.y));
  const Vec c1 = hn::Add(hn::Mul(pair.step, base1), hn::Mul(volume, pair.h_in));  // step c
  const Vec c2 = hn::Add(hn::Mul(pair.step, base2), hn::Mul(volume, pair.s_in));
  const Vec last = hn::Mul(pair.step, volume);

  const Vec length2 = hn::MulAdd(e1, e1, hn::Mul(e2, e2));
  const Vec length = hn::Sqrt(length2);
  const Vec floor = hn::MulAdd(hn::Set(tag, 1e-24), length, tiny);
  const Vec je1 = hn::MulAdd(jh1, e1, hn::Mul(pair.w, e2));  // J'e
  const Vec je2 = hn::MulAdd(js1, e1, hn::Mul(pair.w, e2));
  const Vec mean = hn::Div(hn::Mul(pair.step, hn::MulAdd(je1, je1, hn::Mul(je2, je2))), hn::Max(length2, tiny));
  const Vec nu = hn::Max(hn::Sub(length, mean), floor);

  SecularRoot root;
  root.w = pair.w;
  root.step = pair.step;
  root.jh1 = jh1;
  root.js1 = js1;
  root.e1 = e1;
  root.e2 = e2;
  root.g1 = hn::NegMulAdd(pair.w, c2, hn::Mul(pair.w, c1));
  root.g2 = hn::NegMulAdd(js1, c1, hn::Mul(jh1, c2));
  root.trace = hn::Add(hh, ss);
  root.volume2 = hn::MulAdd(volume, volume, tiny);
  root.middle1 = hn::MulAdd(ss, pair.h_in, hn::Neg(hn::MulAdd(hs, pair.s_in, hn::Mul(hh, pair.x))));
  root.middle2 = hn::MulAdd(hh, pair.s_in, hn::Neg(hn::MulAdd(hs, pair.h_in, hn::Mul(ss, pair.y))));
  root.last1 = hn::Mul(last, base1);
  root.last2 = hn::Mul(last, base2);
  root.floor = floor;
  root.nu = nu;
  root.moving = hn::Eq(nu, nu);
  return root;
}

HWY_INLINE Minimizer free_minimizer(const Pair& pair, const SecularRoot& root) {
  const Vec nu = root.nu;
  const Vec scale = inverse_determinant(root);
  return {hn::Mul(scale, hn::MulAdd(nu, hn::MulAdd(nu, pair.h_in, root.middle1), hn::Neg(root.last1))),
          hn::Mul(scale, hn::MulAdd(nu, hn::MulAdd(nu, pair.s_in, root.middle2), hn::Neg(root.last2)))};
}

// The minimizers without signs.
template <int U>
HWY_INLINE void solve_free(const Pair (&pairs)[U], Minimizer (&minimizers)[U]) {
  SecularRoot roots[U];
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) roots[u] = secular_root(pairs[u]);
  find_roots(roots);
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) minimizers[u] = free_minimizer(pairs[u], roots[u]);
}

// The root beta >= 0 of beta (1 + T / sqrt(1 + beta^2)) = p, for p >= 0.
struct EdgeRoot {
  Vec t, p, low;
  Vec beta, sine;  // sine = beta / sqrt(1 + beta^2)
  Mask stiff;      // T sine' > 1: rather the equation's second term than its first holds beta
  Mask moving;
};

HWY_INLINE void step(EdgeRoot& of) {
  const Tag tag;
  const Vec one = hn::Set(tag, 1.0);
  const Vec beta = of.beta;
  const Vec cosine = hn::Div(one, hn::Sqrt(hn::MulAdd(beta, beta, one)));
  const Vec cosine2 = hn::Mul(cosine, cosine);
  const Vec bend2 = hn::Mul(hn::Set(tag, 1.5), hn::Mul(beta, cosine2));  // -sine'' / (2 sine'), sine' = cosine^3
  const Vec share = hn::Mul(of.t, cosine);
  const Vec missing = hn::Sub(hn::NegMulAdd(beta, share, of.p), beta);
  const Vec slope2 = hn::Mul(share, cosine2);
  const Vec slope = hn::Add(slope2, one);
  // Halley: missing slope / (slope^2 - missing curvature / 2)
  const Vec change =
      hn::Div(hn::Mul(missing, slope), hn::NegMulAdd(missing, hn::Mul(bend2, slope2), hn::Mul(slope, slope)));
  const Vec next = hn::Min(hn::Max(hn::Add(beta, change), of.low), of.p);
  const Vec moved = hn::Sub(next, beta);
  // The step after this one would be about the cube of it, relative to beta.
  const Mask done = hn::Le(hn::Abs(moved), hn::Mul(hn::Set(tag, 1e-5), next));
  // With a step this short, the sine at its end follows from that at its beginning.
  const Vec grown = hn::Mul(hn::Mul(cosine, cosine2), hn::Mul(moved, hn::NegMulAdd(bend2, moved, one)));
  of.sine = hn::IfThenElse(of.moving, hn::MulAdd(beta, cosine, grown), of.sine);
  of.stiff = hn::Or(hn::AndNot(of.moving, of.stiff), hn::And(of.moving, hn::Gt(slope2, one)));
  of.beta = hn::IfThenElse(of.moving, next, beta);
  of.moving = hn::AndNot(done, of.moving);
}

// At the start of Halley's method.
HWY_INLINE EdgeRoot edge_root(Vec t, Vec p) {
  const Tag tag;
  const Vec one = hn::Set(tag, 1.0);
  const Vec inverse = hn::Div(one, hn::Add(one, t));
  const Vec linear = hn::Mul(p, inverse);
  const Vec low = hn::Max(linear, hn::Sub(p, t));
  const Vec bend = hn::Mul(hn::Mul(hn::Set(tag, 0.5), hn::Mul(t, inverse)), hn::Mul(linear, hn::Mul(linear, linear)));
  const Vec beta = hn::Min(hn::Max(hn::Add(linear, bend), low), p);
  return {t, p, low, beta, beta, hn::Ne(beta, beta), hn::Eq(beta, beta)};
}

// One side of a pair: the variable's input, and the parameter that it is added to in w (h + x) or w (s + y).
struct Side {
  Vec in, parameter;
};

// The edge where only h, or only s, may be positive.
struct Edge {
  Side kept, zero;
  Vec stretch, pull, p;  // 1 + w^2 x^2 or 1 + w^2 y^2, T / w, p
};

HWY_INLINE Edge edge_of(const Pair& pair, Mask keeps_h) {
  const auto choose = [&](Vec a, Vec b) HWY_ATTR { return hn::IfThenElse(keeps_h, a, b); };
  const Side kept{choose(pair.h_in, pair.s_in), choose(pair.x, pair.y)};
  const Side zero{choose(pair.s_in, pair.h_in), choose(pair.y, pair.x)};
  const Vec stretch = hn::MulAdd(pair.w2, hn::Mul(zero.parameter, zero.parameter), hn::Set(Tag(), 1.0));
  return {kept, zero, stretch, hn::Mul(hn::Mul(pair.step, pair.w), hn::Sqrt(stretch)),
          hn::Mul(pair.w, hn::Add(kept.in, kept.parameter))};
}

struct EdgeMinimizer {
  Vec value;     // of the variable that is free, >= 0
  Mask optimal;  // the derivative in the other, which is 0, is not negative
};

HWY_INLINE EdgeMinimizer edge_minimizer(const Pair& pair, const Edge& edge, const EdgeRoot& root) {
  const Tag tag;
  const Vec one = hn::Set(tag, 1.0);
  const Side& kept = edge.kept;
  // s = s_in - T / w sine(beta), or where that would magnify errors of beta, s = beta / w - y. The sum s + y likewise.
  Vec value = hn::NegMulAdd(edge.pull, hn::CopySign(root.sine, edge.p), kept.in);
  Vec sum = hn::Add(value, kept.parameter);
  if (!hn::AllFalse(tag, root.stiff)) {
    const Vec direct = hn::Div(hn::CopySign(root.beta, edge.p), pair.w);
    value = hn::IfThenElse(root.stiff, hn::Sub(direct, kept.parameter), value);
    sum = hn::IfThenElse(root.stiff, direct, sum);
  }
  const Mask positive = hn::Gt(value, hn::Zero(tag));
  value = hn::IfThenElseZero(positive, value);
  sum = hn::IfThenElse(positive, sum, kept.parameter);

  // Derivative in the other: step w^2 (x - y + (s + y) (1 + w^2 x y)) / |v| - h_in.
  const Vec norm = hn::Sqrt(hn::Mul(edge.stretch, hn::MulAdd(hn::Mul(pair.w2, sum), sum, one)));
  const Vec cross = hn::MulAdd(pair.w2, hn::Mul(pair.x, pair.y), one);
  const Vec weight = hn::Mul(pair.step, pair.w2);
  const Vec slope = hn::Mul(weight, hn::MulAdd(sum, cross, hn::Sub(edge.zero.parameter, kept.parameter)));
  return {value, hn::Ge(slope, hn::Mul(edge.zero.in, norm))};
}

// On the edges where only h, or only s, may be positive.
template <int U>
HWY_INLINE void solve_edges(const Pair (&pairs)[U], const Mask (&keeps_h)[U], EdgeMinimizer (&minimizers)[U]) {
  Edge edges[U];
  EdgeRoot roots[U];
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) {
    edges[u] = edge_of(pairs[u], keeps_h[u]);
    roots[u] = edge_root(hn::Mul(pairs[u].w, edges[u].pull), hn::Abs(edges[u].p));
  }
  find_roots(roots);
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) minimizers[u] = edge_minimizer(pairs[u], edges[u], roots[u]);
}

// On the edge of the larger input; `solved` where this is the minimizer.
template <int U>
HWY_INLINE void solve_larger(const Pair (&pairs)[U], Minimizer (&minimizers)[U], Mask (&solved)[U]) {
  Mask keeps_h[U];
  EdgeMinimizer edges[U];
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) keeps_h[u] = hn::Ge(pairs[u].h_in, pairs[u].s_in);
  solve_edges(pairs, keeps_h, edges);
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) {
    minimizers[u] = {hn::IfThenElseZero(keeps_h[u], edges[u].value), hn::IfThenZeroElse(keeps_h[u], edges[u].value)};
    solved[u] = edges[u].optimal;
  }
}

// Where the minimizer is not on the edge of the larger input: the free one, or the one on the other edge.
template <int U>
HWY_INLINE void solve_others(const Pair (&pairs)[U], Minimizer (&minimizers)[U]) {
  const Tag tag;
  const Vec zero = hn::Zero(tag);
  solve_free(pairs, minimizers);
  Mask negative[U], keeps_h[U];
  Mask any = hn::Lt(zero, zero);
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) {
    Minimizer& of = minimizers[u];
    negative[u] = hn::Or(hn::Lt(of.h, zero), hn::Lt(of.s, zero));
    any = hn::Or(any, negative[u]);
    keeps_h[u] = hn::Lt(pairs[u].h_in, pairs[u].s_in);
    of = {hn::Max(of.h, zero), hn::Max(of.s, zero)};
  }
  if (hn::AllFalse(tag, any)) return;

  EdgeMinimizer edges[U];
  solve_edges(pairs, keeps_h, edges);
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) {
    Minimizer& of = minimizers[u];
    const Mask on_edge = hn::And(negative[u], edges[u].optimal);
    of.h = hn::IfThenElse(on_edge, hn::IfThenElseZero(keeps_h[u], edges[u].value), of.h);
    of.s = hn::IfThenElse(on_edge, hn::IfThenZeroElse(keeps_h[u], edges[u].value), of.s);
  }
}

HWY_INLINE Pair make_pair(Vec step, Vec h_in, Vec s_in, Vec x, Vec y, Vec w) {
  return {h_in, s_in, x, y, w, step, hn::Mul(w, w)};
}

}  // namespace HWY_NAMESPACE
}  // namespace relufit
HWY_AFTER_NAMESPACE();

#endif
