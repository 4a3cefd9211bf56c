// Every instruction set's kernel: pairs in vectors, at first on the edge of their larger input (pair_minimizer-inl.h).
// Those whose minimizer is elsewhere wait in a queue until they fill vectors of their own.

#include "subproblem/proximal/pair_prox.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <string_view>

#define HWY_DISABLED_TARGETS HWY_SSSE3  // none that kKernels has
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "subproblem/proximal/pair_prox.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "subproblem/proximal/pair_minimizer-inl.h"

HWY_BEFORE_NAMESPACE();
namespace relufit {
namespace HWY_NAMESPACE {

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

// Places of pairs that wait for vectors of their own.
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
    for (std::size_t i = 0; i < size_; i += kVectors * hn::Lanes(Tag())) solve_from(i);
    size_ = 0;
  }

 private:
  static constexpr std::size_t kCapacity = 8 * kMaxLanes;
  static constexpr int kVectors = 2;

  void solve_from(std::size_t begin) {
    const Tag tag;
    const std::size_t lanes = hn::Lanes(tag);
    double data[5][kVectors * kMaxLanes], h_out[kVectors * kMaxLanes], s_out[kVectors * kMaxLanes];
    for (std::size_t j = 0; j < kVectors * lanes; ++j) {
      const Index place = place_[std::min(begin + j, size_ - 1)];  // the last one fills the last vectors
      data[0][j] = arrays_.h_in[place];
      data[1][j] = arrays_.s_in[place];
      data[2][j] = arrays_.x[place];
      data[3][j] = arrays_.y[place];
      data[4][j] = arrays_.w[place];
    }
    Pair pairs[kVectors];
    for (int u = 0; u < kVectors; ++u) {
      const auto load = [&](int k) HWY_ATTR { return hn::LoadU(tag, data[k] + u * lanes); };
      pairs[u] = make_pair(hn::Set(tag, step_), load(0), load(1), load(2), load(3), load(4));
    }
    Minimizer minimizers[kVectors];
    solve_others(pairs, minimizers);
    for (int u = 0; u < kVectors; ++u) {
      hn::StoreU(made(result_, minimizers[u].h, pairs[u].h_in), tag, h_out + u * lanes);
      hn::StoreU(made(result_, minimizers[u].s, pairs[u].s_in), tag, s_out + u * lanes);
    }
    for (std::size_t j = 0; j < std::min(kVectors * lanes, size_ - begin); ++j) {
      arrays_.h_out[place_[begin + j]] = h_out[j];
      arrays_.s_out[place_[begin + j]] = s_out[j];
    }
  }

  double step_;
  Result result_;
  const Arrays& arrays_;
  std::size_t size_ = 0;
  Index place_[kCapacity];
};

// U vectors of pairs, where their minimizer is on the edge of the larger input. `others`: where it is not; there the
// outputs stay as they are, so that inputs in their place are not lost.
template <int U>
HWY_INLINE void solve_vectors(double step, Result result, const Arrays& arrays, Index begin, Mask (&others)[U]) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Pair pairs[U];
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) {
    const auto load = [&](const double* from) HWY_ATTR { return hn::LoadU(tag, from + begin + u * lanes); };
    pairs[u] = make_pair(hn::Set(tag, step), load(arrays.h_in), load(arrays.s_in), load(arrays.x), load(arrays.y),
                         load(arrays.w));
  }
  Minimizer minimizers[U];
  Mask solved[U];
  solve_larger(pairs, minimizers, solved);
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) {
    const Index place = begin + u * lanes;
    hn::BlendedStore(made(result, minimizers[u].h, pairs[u].h_in), solved[u], tag, arrays.h_out + place);
    hn::BlendedStore(made(result, minimizers[u].s, pairs[u].s_in), solved[u], tag, arrays.s_out + place);
    others[u] = hn::Not(solved[u]);
  }
}

// The same, those that are not solved going into the queue.
template <int U>
HWY_INLINE void solve_or_queue(double step, Result result, const Arrays& arrays, Index begin, Queue& queue) {
  const auto lanes = static_cast<Index>(hn::Lanes(Tag()));
  Mask others[U];
  solve_vectors(step, result, arrays, begin, others);
  HWY_UNROLL(4)
  for (int u = 0; u < U; ++u) {
    if (hn::AllFalse(Tag(), others[u])) continue;
    queue.add(others[u], lanes, begin + u * lanes);
    if (queue.full()) queue.solve();
  }
}

HWY_INLINE void solve_pairs(Index count, double step, Result result, const Arrays& arrays) {
  constexpr int kVectors = 3;
  const auto lanes = static_cast<Index>(hn::Lanes(Tag()));
  Queue queue(step, result, arrays);
  Index i = 0;
  for (; i + kVectors * lanes <= count; i += kVectors * lanes) {
    solve_or_queue<kVectors>(step, result, arrays, i, queue);
  }
  for (; i + lanes <= count; i += lanes) solve_or_queue<1>(step, result, arrays, i, queue);
  if (i < count) {
    // The rest in a vector of its own, so that every entry sees the same arithmetic.
    double pad[5][kMaxLanes];
    const double* in[5] = {arrays.h_in, arrays.s_in, arrays.x, arrays.y, arrays.w};
    for (std::size_t k = 0; k < 5; ++k) {
      for (Index j = 0; j < lanes; ++j) pad[k][j] = in[k][std::min(i + j, count - 1)];
    }
    double h_out[kMaxLanes] = {}, s_out[kMaxLanes] = {};
    Mask others[1];
    solve_vectors(step, result, {pad[0], pad[1], pad[2], pad[3], pad[4], h_out, s_out}, 0, others);
    queue.add(others[0], count - i, i);
    for (unsigned bits = bits_of(hn::Not(others[0]), count - i); bits != 0; bits &= bits - 1) {
      const int lane = std::countr_zero(bits);
      arrays.h_out[i + lane] = h_out[lane];
      arrays.s_out[i + lane] = s_out[lane];
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
