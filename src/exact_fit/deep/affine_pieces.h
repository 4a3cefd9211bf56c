/// \file
/// The affine pieces of a piecewise affine function, from exact values at samples alone.
#pragma once

#include <vector>

#include "relufit/matrix.h"

namespace relufit {

struct AffinePiece {
  Vector coefficients;         ///< of the inputs, then the constant
  std::vector<Index> samples;  ///< all that are on it, ascending

  /// What the values of all samples exceed it by.
  Vector residuals(const Matrix& inputs, const Vector& values) const;
};

/// Pieces that hold more neighbouring samples than determine an affine function, by the first of their samples.
/// `inputs`: n x N; `values`: N; a sample is on a piece where its value differs by at most `tolerance`. From a few
/// hundred samples at most, spread over all.
std::vector<AffinePiece> affine_pieces(const Matrix& inputs, const Vector& values, double tolerance);

}  // namespace relufit
