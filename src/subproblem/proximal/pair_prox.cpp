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
// that one comes first. Pairs that do not wait in a queue until they fill vectors of their own.

#include "subproblem/proximal/pair_prox.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <string_view>

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
  Vec w2;  // w^2
};

struct Minimizer {
  Vec h, s;
};

constexpr int kMaxNewton = 40;
constexpr int kMaxSteps = 40;

// The minimizer without signs.
HWY_INLINE Minimizer solve_free(const Pair& pair) {
  const Tag tag;
  const Vec one = hn::Set(tag, 1.0);
  const Vec tiny = hn::Set(tag, 1e-290);
  const Vec jh1 = hn::Neg(hn::Mul(pair.w2, pair.y));
  const Vec js1 = hn::Neg(hn::Mul(pair.w2, pair.x));
  const Vec jh2 = pair.w;
  const Vec js2 = pair.w;
  const Vec e1 =
      hn::MulAdd(jh1, pair.h_in, hn::MulAdd(js1, pair.s_in, hn::NegMulAdd(pair.w2, hn::Mul(pair.x, pair.y), one)));
  const Vec e2 = hn::MulAdd(jh2, pair.h_in, hn::MulAdd(js2, pair.s_in, hn::Mul(pair.w, hn::Add(pair.x, pair.y))));

  const Vec a = hn::MulAdd(pair.w2, hn::Mul(pair.y, pair.y), one);
  const Vec b = hn::MulAdd(pair.w2, hn::Mul(pair.x, pair.x), one);
  const Vec c = hn::MulAdd(pair.w2, hn::Mul(pair.x, pair.y), one);

  // step J'J, adj(J) e0, step det J, c
  const Vec weight = hn::Mul(pair.step, pair.w2);
  const Vec hh = hn::Mul(weight, a);
  const Vec ss = hn::Mul(weight, b);
  const Vec hs = hn::Mul(weight, c);
  const Vec base1 = hn::Mul(js2, b);
  const Vec base2 = hn::Neg(hn::Mul(jh2, a));
  const Vec volume = hn::Mul(hn::Mul(weight, pair.w), hn::Sub(pair.x, pair.y));
  const Vec c1 = hn::Add(hn::Mul(pair.step, base1), hn::Mul(volume, pair.h_in));  // step c
  const Vec c2 = hn::Add(hn::Mul(pair.step, base2), hn::Mul(volume, pair.s_in));
  const Vec g1 = hn::NegMulAdd(jh2, c2, hn::Mul(js2, c1));  // step adj(J)' c
  const Vec g2 = hn::NegMulAdd(js1, c1, hn::Mul(jh1, c2));

  const Vec trace = hn::Add(hh, ss);
  const Vec length = hn::Sqrt(hn::MulAdd(e1, e1, hn::Mul(e2, e2)));
  // Where v = 0, Newton's method would go below zero.
  const Vec floor = hn::MulAdd(hn::Set(tag, 1e-24), length, tiny);
  const Vec volume2 = hn::MulAdd(volume, volume, tiny);
  const Vec je1 = hn::MulAdd(jh1, e1, hn::Mul(jh2, e2));  // J'e
  const Vec je2 = hn::MulAdd(js1, e1, hn::Mul(js2, e2));
  const Vec mean = hn::Div(hn::Mul(pair.step, hn::MulAdd(je1, je1, hn::Mul(je2, je2))),
                           hn::Max(hn::MulAdd(e1, e1, hn::Mul(e2, e2)), tiny));
  Vec nu = hn::Max(hn::Sub(length, mean), floor);
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
    const Mask done = hn::Le(hn::Abs(hn::Sub(next, nu)), hn::Mul(hn::Set(tag, 1e-8), nu));
    nu = hn::IfThenElse(moving, next, nu);
    moving = hn::AndNot(done, moving);
    if (hn::AllFalse(tag, moving)) break;
  }
  const Vec scale = hn::Div(one, hn::MulAdd(nu, hn::Add(nu, trace), volume2));
  const Vec middle1 = hn::MulAdd(ss, pair.h_in, hn::Neg(hn::MulAdd(hs, pair.s_in, hn::Mul(hh, pair.x))));
  const Vec middle2 = hn::MulAdd(hh, pair.s_in, hn::Neg(hn::MulAdd(hs, pair.h_in, hn::Mul(ss, pair.y))));
  const Vec last = hn::Mul(pair.step, volume);
  Minimizer result;
  result.h = hn::Mul(scale, hn::MulAdd(nu, hn::MulAdd(nu, pair.h_in, middle1), hn::Neg(hn::Mul(last, base1))));
  result.s = hn::Mul(scale, hn::MulAdd(nu, hn::MulAdd(nu, pair.s_in, middle2), hn::Neg(hn::Mul(last, base2))));
  return result;
}

// One side of a pair: the variable's input, and the parameter that it is added to in w (h + x) or w (s + y).
struct Side {
  Vec in, parameter;
};

struct EdgeMinimizer {
  Vec value;     // of the variable that is free, >= 0
  Mask optimal;  // the derivative in the other, which is 0, is not negative
};

struct EdgeRoot {
  Vec beta, sine;  // sine = beta / sqrt(1 + beta^2)
  Mask stiff;      // T sine' > 1: rather the equation's second term than its first holds beta
};

// beta >= 0 with beta (1 + T / sqrt(1 + beta^2)) = p, for p >= 0.
HWY_INLINE EdgeRoot edge_root(Vec t, Vec p) {
  const Tag tag;
  const Vec one = hn::Set(tag, 1.0);
  const Vec inverse = hn::Div(one, hn::Add(one, t));
  const Vec linear = hn::Mul(p, inverse);
  const Vec low = hn::Max(linear, hn::Sub(p, t));
  const Vec bend = hn::Mul(hn::Mul(hn::Set(tag, 0.5), hn::Mul(t, inverse)), hn::Mul(linear, hn::Mul(linear, linear)));
  Vec beta = hn::Min(hn::Max(hn::Add(linear, bend), low), p);
  Vec sine = beta;
  Mask stiff = hn::Ne(beta, beta);
  Mask moving = hn::Eq(beta, beta);  // a lane that is done stays: its steps are its own, whatever its neighbours need
  for (int i = 0; i < kMaxSteps; ++i) {
    const Vec cosine = hn::Div(one, hn::Sqrt(hn::MulAdd(beta, beta, one)));
    const Vec cosine2 = hn::Mul(cosine, cosine);
    const Vec bend2 = hn::Mul(hn::Set(tag, 1.5), hn::Mul(beta, cosine2));  // -sine'' / (2 sine'), sine' = cosine^3
    const Vec share = hn::Mul(t, cosine);
    const Vec missing = hn::Sub(hn::NegMulAdd(beta, share, p), beta);
    const Vec slope2 = hn::Mul(share, cosine2);
    const Vec slope = hn::Add(slope2, one);
    // Halley: missing slope / (slope^2 - missing curvature / 2)
    const Vec change =
        hn::Div(hn::Mul(missing, slope), hn::NegMulAdd(missing, hn::Mul(bend2, slope2), hn::Mul(slope, slope)));
    const Vec next = hn::Min(hn::Max(hn::Add(beta, change), low), p);
    const Vec moved = hn::Sub(next, beta);
    // The step after this one would be about the cube of it, relative to beta.
    const Mask done = hn::Le(hn::Abs(moved), hn::Mul(hn::Set(tag, 1e-5), next));
    // With a step this short, the sine at its end follows from that at its beginning.
    const Vec grown = hn::Mul(hn::Mul(cosine, cosine2), hn::Mul(moved, hn::NegMulAdd(bend2, moved, one)));
    sine = hn::IfThenElse(moving, hn::MulAdd(beta, cosine, grown), sine);
    stiff = hn::Or(hn::AndNot(moving, stiff), hn::And(moving, hn::Gt(slope2, one)));
    beta = hn::IfThenElse(moving, next, beta);
    moving = hn::AndNot(done, moving);
    if (hn::AllFalse(tag, moving)) break;
  }
  return {beta, sine, stiff};
}

// On the edge where only h, or only s, may be positive.
HWY_INLINE EdgeMinimizer solve_edge(const Pair& pair, Mask keeps_h) {
  const Tag tag;
  const auto choose = [&](Vec a, Vec b) HWY_ATTR { return hn::IfThenElse(keeps_h, a, b); };
  const Side kept{choose(pair.h_in, pair.s_in), choose(pair.x, pair.y)};
  const Side zero{choose(pair.s_in, pair.h_in), choose(pair.y, pair.x)};
  const Vec one = hn::Set(tag, 1.0);
  const Vec weight = hn::Mul(pair.step, pair.w2);
  const Vec stretch = hn::MulAdd(pair.w2, hn::Mul(zero.parameter, zero.parameter), one);
  const Vec pull = hn::Mul(hn::Mul(pair.step, pair.w), hn::Sqrt(stretch));  // T / w
  const Vec p = hn::Mul(pair.w, hn::Add(kept.in, kept.parameter));
  const EdgeRoot root = edge_root(hn::Mul(pair.w, pull), hn::Abs(p));
  // s = s_in - T / w sine(beta), or where that would magnify errors of beta, s = beta / w - y. The sum s + y likewise.
  Vec value = hn::NegMulAdd(pull, hn::CopySign(root.sine, p), kept.in);
  Vec sum = hn::Add(value, kept.parameter);
  if (!hn::AllFalse(tag, root.stiff)) {
    const Vec direct = hn::Div(hn::CopySign(root.beta, p), pair.w);
    value = hn::IfThenElse(root.stiff, hn::Sub(direct, kept.parameter), value);
    sum = hn::IfThenElse(root.stiff, direct, sum);
  }
  const Mask positive = hn::Gt(value, hn::Zero(tag));
  value = hn::IfThenElseZero(positive, value);
  sum = hn::IfThenElse(positive, sum, kept.parameter);

  // Derivative in the other: step w^2 (x - y + (s + y) (1 + w^2 x y)) / |v| - h_in.
  const Vec norm = hn::Sqrt(hn::Mul(stretch, hn::MulAdd(hn::Mul(pair.w2, sum), sum, one)));
  const Vec cross = hn::MulAdd(pair.w2, hn::Mul(pair.x, pair.y), one);
  const Vec slope = hn::Mul(weight, hn::MulAdd(sum, cross, hn::Sub(zero.parameter, kept.parameter)));
  return {value, hn::Ge(slope, hn::Mul(zero.in, norm))};
}

// On the edge of the larger input. Returns where this is the minimizer.
HWY_INLINE Mask solve_larger(const Pair& pair, Vec& h, Vec& s) {
  const Mask keeps_h = hn::Ge(pair.h_in, pair.s_in);
  const EdgeMinimizer edge = solve_edge(pair, keeps_h);
  h = hn::IfThenElseZero(keeps_h, edge.value);
  s = hn::IfThenZeroElse(keeps_h, edge.value);
  return edge.optimal;
}

// Where the minimizer is not on the edge of the larger input: the free one, or the one on the other edge.
HWY_INLINE void solve_others(const Pair& pair, Vec& h, Vec& s) {
  const Tag tag;
  const Vec zero = hn::Zero(tag);
  const Minimizer free = solve_free(pair);
  const Mask negative = hn::Or(hn::Lt(free.h, zero), hn::Lt(free.s, zero));
  h = hn::Max(free.h, zero);
  s = hn::Max(free.s, zero);
  if (hn::AllFalse(tag, negative)) return;

  const Mask keeps_h = hn::Lt(pair.h_in, pair.s_in);
  const EdgeMinimizer edge = solve_edge(pair, keeps_h);
  const Mask on_edge = hn::And(negative, edge.optimal);
  h = hn::IfThenElse(on_edge, hn::IfThenElseZero(keeps_h, edge.value), h);
  s = hn::IfThenElse(on_edge, hn::IfThenZeroElse(keeps_h, edge.value), s);
}

HWY_INLINE Pair make_pair(Vec step, Vec h_in, Vec s_in, Vec x, Vec y, Vec w) {
  return {h_in, s_in, x, y, w, step, hn::Mul(w, w)};
}

// What is made of the minimizers z: z, or 2 z - in.
enum class Result { minimizer, reflection };

HWY_INLINE Vec made(Result result, Vec z, Vec in) {
  return result == Result::minimizer ? z : hn::Sub(hn::Add(z, z), in);
}

constexpr std::size_t kMaxLanes = HWY_MAX_BYTES / sizeof(double);

// One bit per lane, of the first `count`.
HWY_INLINE unsigned bits_of(Mask mask, Index count) {
  std::uint8_t bytes[8] = {};
  hn::StoreMaskBits(Tag(), mask, bytes);
  return bytes[0] & ((1U << count) - 1);
}

struct Arrays {
  const double *h_in, *s_in, *x, *y, *w;
  double *h_out, *s_out;
};

// Places of pairs that wait for a vector of their own.
class Queue {
 public:
  Queue(double step, Result result, const Arrays& arrays) : step_(step), result_(result), arrays_(arrays) {}

  HWY_INLINE bool full() const { return size_ > kCapacity - kMaxLanes; }
  // The first `count` lanes of a vector of pairs from `begin` on, where asked.
  HWY_INLINE void add(Mask mask, Index count, Index begin) {
    for (unsigned bits = bits_of(mask, count); bits != 0; bits &= bits - 1) {
      place_[size_++] = begin + std::countr_zero(bits);
    }
  }

  void solve() {
    const Tag tag;
    const std::size_t lanes = hn::Lanes(tag);
    double data[5][kMaxLanes], h_out[kMaxLanes], s_out[kMaxLanes];
    for (std::size_t i = 0; i < size_; i += lanes) {
      for (std::size_t j = 0; j < lanes; ++j) {
        const Index place = place_[std::min(i + j, size_ - 1)];  // the last one fills the last vector
        data[0][j] = arrays_.h_in[place];
        data[1][j] = arrays_.s_in[place];
        data[2][j] = arrays_.x[place];
        data[3][j] = arrays_.y[place];
        data[4][j] = arrays_.w[place];
      }
      const auto load = [&](int k) HWY_ATTR { return hn::LoadU(tag, data[k]); };
      Vec h, s;
      solve_others(make_pair(hn::Set(tag, step_), load(0), load(1), load(2), load(3), load(4)), h, s);
      hn::StoreU(made(result_, h, load(0)), tag, h_out);
      hn::StoreU(made(result_, s, load(1)), tag, s_out);
      for (std::size_t j = 0; j < std::min(lanes, size_ - i); ++j) {
        arrays_.h_out[place_[i + j]] = h_out[j];
        arrays_.s_out[place_[i + j]] = s_out[j];
      }
    }
    size_ = 0;
  }

 private:
  static constexpr std::size_t kCapacity = 8 * kMaxLanes;

  double step_;
  Result result_;
  const Arrays& arrays_;
  std::size_t size_ = 0;
  Index place_[kCapacity];
};

// A vector of pairs, where their minimizer is on the edge of the larger input. Returns where it is not: there the
// outputs stay as they are, so that inputs in their place are not lost.
HWY_INLINE Mask solve_vector(double step, Result result, const Arrays& arrays, Index begin) {
  const Tag tag;
  const auto load = [&](const double* from) HWY_ATTR { return hn::LoadU(tag, from + begin); };
  const Pair pair = make_pair(hn::Set(tag, step), load(arrays.h_in), load(arrays.s_in), load(arrays.x), load(arrays.y),
                              load(arrays.w));
  Vec h, s;
  const Mask solved = solve_larger(pair, h, s);
  hn::BlendedStore(made(result, h, pair.h_in), solved, tag, arrays.h_out + begin);
  hn::BlendedStore(made(result, s, pair.s_in), solved, tag, arrays.s_out + begin);
  return hn::Not(solved);
}

HWY_INLINE void solve_pairs(Index count, double step, Result result, const Arrays& arrays) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const Index whole = count / lanes * lanes;
  Queue queue(step, result, arrays);
  for (Index i = 0; i < whole; i += lanes) {
    const Mask others = solve_vector(step, result, arrays, i);
    if (hn::AllFalse(tag, others)) continue;
    queue.add(others, lanes, i);
    if (queue.full()) queue.solve();
  }
  if (whole < count) {
    // The rest in a vector of its own, so that every entry sees the same arithmetic.
    double pad[5][kMaxLanes];
    const double* in[5] = {arrays.h_in, arrays.s_in, arrays.x, arrays.y, arrays.w};
    for (std::size_t k = 0; k < 5; ++k) {
      for (Index j = 0; j < lanes; ++j) pad[k][j] = in[k][std::min(whole + j, count - 1)];
    }
    double h_out[kMaxLanes] = {}, s_out[kMaxLanes] = {};
    const Mask others = solve_vector(step, result, {pad[0], pad[1], pad[2], pad[3], pad[4], h_out, s_out}, 0);
    queue.add(others, count - whole, whole);
    for (unsigned bits = bits_of(hn::Not(others), count - whole); bits != 0; bits &= bits - 1) {
      const int lane = std::countr_zero(bits);
      arrays.h_out[whole + lane] = h_out[lane];
      arrays.s_out[whole + lane] = s_out[lane];
    }
  }
  queue.solve();
}

void ProxReluPairs(Index count, double step, const double* h_in, const double* s_in, const double* x, const double* y,
                   const double* w, double* h_out, double* s_out) {
  solve_pairs(count, step, Result::minimizer, {h_in, s_in, x, y, w, h_out, s_out});
}

void ReflectReluPairs(Index count, double step, const double* h_in, const double* s_in, const double* x,
                      const double* y, const double* w, double* h_out, double* s_out) {
  solve_pairs(count, step, Result::reflection, {h_in, s_in, x, y, w, h_out, s_out});
}

}  // namespace HWY_NAMESPACE
}  // namespace relufit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace relufit {

namespace {

// Best first; the last is for what the library as a whole is compiled for.
constexpr PairKernel kKernels[] = {
#if HWY_ARCH_X86 && (HWY_TARGETS & HWY_AVX3)
    {"AVX-512", true, N_AVX3::ProxReluPairs, N_AVX3::ReflectReluPairs},
#endif
#if HWY_ARCH_X86 && (HWY_TARGETS & HWY_AVX2)
    {"AVX2", true, N_AVX2::ProxReluPairs, N_AVX2::ReflectReluPairs},
#endif
#if HWY_ARCH_X86 && (HWY_TARGETS & HWY_SSE4)
    {"SSE4", false, N_SSE4::ProxReluPairs, N_SSE4::ReflectReluPairs},
#endif
    {"baseline", HWY_ARCH_X86 == 0 || HWY_STATIC_TARGET <= HWY_AVX2, HWY_STATIC_DISPATCH(ProxReluPairs),
     HWY_STATIC_DISPATCH(ReflectReluPairs)},
};

// By the compiler's look at the processor. Highway's own would have its shared library loaded, which measures the
// resolution of clocks whenever a program begins: 3 ms of each.
bool runs_here([[maybe_unused]] std::string_view instruction_set) {
#if HWY_ARCH_X86
  const auto has_avx2 = [] {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
  };
  if (instruction_set == "AVX-512") {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  }
  if (instruction_set == "AVX2") return has_avx2();
  if (instruction_set == "SSE4") return __builtin_cpu_supports("sse4.2");
#endif
  return true;
}

}  // namespace

std::span<const PairKernel> pair_kernels() {
  static const auto best = std::find_if(std::begin(kKernels), std::end(kKernels),
                                        [](const PairKernel& kernel) { return runs_here(kernel.instruction_set); });
  return {best, std::end(kKernels)};
}

void prox_relu_pairs(Index count, double step, const double* h_in, const double* s_in, const double* x, const double* y,
                     const double* w, double* h_out, double* s_out) {
  pair_kernels().front().minimize(count, step, h_in, s_in, x, y, w, h_out, s_out);
}

void reflect_relu_pairs(Index count, double step, const double* h_in, const double* s_in, const double* x,
                        const double* y, const double* w, double* h_out, double* s_out) {
  pair_kernels().front().reflect(count, step, h_in, s_in, x, y, w, h_out, s_out);
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
