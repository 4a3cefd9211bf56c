/// \file
/// What most files include, parsed once; CMake puts it before everything else, which eigen_storage.h needs.
#pragma once

// clang-format off
#include "linear_algebra/eigen_storage.h"
// clang-format on

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "linear_algebra/decompositions.h"
