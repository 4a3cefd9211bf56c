/// \file
/// How far rounding can move the values of a network, whatever the order of its sums and the processor.
///
/// Let x be the values of a layer and X >= |x| sizes of them, computed values being within k eps X of x. The next
/// layer's arguments are z = W x + b, with sizes Z = |W| X + |b| >= |z|. A sum of n products and a bias, in any order,
/// with or without fused multiplications, is within (n + 1) eps of the sum of its terms' sizes, and the error of x adds
/// |W| k eps X: together (k + n + 1) eps Z at most (to first order, eps = 2^-52 being twice the unit roundoff, which
/// covers the rest). Activations have slopes of at most 1 and |a(z)| <= |z|
/// (hard-tanh is summed up with 1: Z >= 1 there). So
///
///     |computed output - output| <= (k_0 + sum over layers of (n_l + k)) eps Z_L,
///
/// k = 8 for the bias, the lift's arguments h - s and a factor of weights that were scaled or folded. Inputs that are
/// scaled, x = (u - offset) / scale, have X = (|u| + |offset|) / scale and k_0 = 4, and so has a folded first layer.
/// Targets that are scaled back add 4 eps (|offset| + |output|), which Z_L times scale + |offset| is a size of.
#pragma once

#include <vector>

#include "relufit/model.h"

namespace relufit {

/// Sizes of the values of every layer's units, and of the outputs, for sizes of the inputs (all inputs x samples).
std::vector<Matrix> value_sizes(const std::vector<Layer>& layers, const Architecture& network,
                                const Matrix& input_sizes);

/// The factor of Z_l for the units of layer `count`, or the outputs, of the network of these layers: that many layers
/// are summed.
double rounding_factor(const std::vector<Layer>& layers, std::size_t count);

/// (|u| + |offset|) / scale.
Matrix scaled_sizes(const Scaling& scaling, const Matrix& values);

/// Outputs x samples, raw: |W_L| h + |b_L| with the values h that the output layer sees, times the scale, + |offset|.
Matrix summed_sizes(const Model& model, const Matrix& inputs);

}  // namespace relufit
