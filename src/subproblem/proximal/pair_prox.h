/// \file
/// Proximal map of the nuclear norm of one pair's block, with the signs of the pair.
///
/// For P = 1 and scalar scale w the block of h * s = 0 is M = [w^2 r, w a; w b, 1] with a = h + x, b = s + y,
/// r = y h + x s + x y. Since det M = w^2 (r - a b) = -w^2 h s <= 0 for h, s >= 0, and ||M||_*^2 = ||M||_F^2 + 2 |det
/// M|,
///
///     ||M||_* = |v|,   v = (1 - w^2 r, w (a + b)) = e + J (h, s)'          for h, s >= 0
///
/// the Euclidean norm of an affine map: no semidefinite cone. |v| >= 1 there, so it is smooth.
#pragma once

#include <span>
#include <string_view>

#include "relufit/matrix.h"

namespace relufit {

/// Minimizes  step * ||M(h, s)||_* + 1/2 (h - h_in)^2 + 1/2 (s - s_in)^2  over h, s >= 0, for each of `count` entries.
/// All arrays have `count` entries; outputs may be the same arrays as h_in, s_in. step > 0, w > 0.
void prox_relu_pairs(Index count, double step, const double* h_in, const double* s_in, const double* x, const double* y,
                     const double* w, double* h_out, double* s_out);

/// Likewise 2 (h, s) - (h_in, s_in) with these minimizers.
void reflect_relu_pairs(Index count, double step, const double* h_in, const double* s_in, const double* x,
                        const double* y, const double* w, double* h_out, double* s_out);

/// These two maps, compiled for one instruction set.
struct PairKernel {
  using Map = void(Index count, double step, const double* h_in, const double* s_in, const double* x, const double* y,
                   const double* w, double* h_out, double* s_out);
  std::string_view instruction_set;
  bool fuses;  ///< whether products are added without a rounding between: those that do have the same bits
  Map* minimize;
  Map* reflect;
};

/// Those that this processor runs, the one in use first.
std::span<const PairKernel> pair_kernels();

/// Projects each of `count` pairs onto {h s = 0, h >= 0, s >= 0}: the larger of the two positive parts stays. (h_in,
/// h_out) and (s_in, s_out) may be the same arrays.
void project_relu_pairs(Index count, const double* h_in, const double* s_in, double* h_out, double* s_out);

}  // namespace relufit
