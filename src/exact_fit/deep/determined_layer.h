/// \file
/// Whether exact data determine the first hidden layer of a network that fits many of the samples exactly.
///
/// Where the network is exact on entries Z of the targets, to first order it stays so along the null space of the
/// Jacobian J_Z of their errors. There the weights of a unit may be scaled and those it goes out with divided. A unit
/// whose incoming weights (with its bias) no direction of the null space changes otherwise is determined by Z, if Z has
/// more entries than J_Z has rank: chance fits to rounding no more of them than there are parameters to choose. A unit
/// whose bend no sample of Z shows is not determined. What Z determines is the teacher's layer only if the later layers
/// are right on Z, too: mostly so where Z is half of all.
#pragma once

#include "problem/network_errors.h"

namespace relufit {

/// Whether at least half of all errors are at most `zero`, and determine all units of the first layer.
bool is_first_layer_determined(NetworkErrors& errors, const Vector& parameters, double zero);

}  // namespace relufit
