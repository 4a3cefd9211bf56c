/// \file
/// Random hidden units of plain networks of any depth and activation.
///
/// A random unit has normal weights, arguments of standard deviation 1, and its threshold at the values of a random
/// sample.
#pragma once

#include <vector>

#include "base/random.h"
#include "problem/network_errors.h"
#include "relufit/lift.h"

namespace relufit {

/// Random hidden units below a random output layer whose outputs are of size 1. `given`: the first units of the first
/// hidden layer (no more than it has; none: no rows).
std::vector<Layer> random_network(const LiftedProblem& problem, Random& random, const Layer& given = {});

/// Puts a random unit in the place of one of a hidden layer (`layer` counts from 0). What it feeds begins with weight
/// 0, so that only the old one's part of the outputs is lost. Of several random units it is the one that could lower
/// the network's squared error most, to first order: with D the derivatives of the loss by the arguments of the next
/// layer, and f the part of its values that this layer's units and a constant do not make up, |D f'|^2 / |f|^2.
void replace_unit(const LiftedProblem& problem, NetworkErrors& errors, std::size_t layer, Index unit, Random& random,
                  std::vector<Layer>& layers);

/// The network with idle units, all of whose weights are 0, added to hidden layers up to the given widths (no smaller
/// than its own; as in Architecture::widths). Its outputs are the same.
std::vector<Layer> widened(const std::vector<Layer>& layers, const Architecture& architecture);

}  // namespace relufit
