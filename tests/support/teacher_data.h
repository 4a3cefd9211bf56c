/// \file
/// Data sets that a given network makes, for tests of training.
#pragma once

#include <string>

#include "relufit/data.h"
#include "support/random.h"

namespace relufit::testing_teacher {

using testing_random::Generator;
using testing_random::normal_matrix;

/// Normal inputs x0, x1, .., the teacher's outputs y0, y1, .. for them, and normal noise of this size.
inline Dataset dataset(Generator& random, const Network& teacher, Index samples, double noise = 0) {
  Dataset data;
  data.inputs = normal_matrix(random, teacher.input_size(), samples);
  data.targets = teacher.forward(data.inputs);
  data.targets += normal_matrix(random, data.targets.rows(), samples, noise);
  for (Index i = 0; i < teacher.input_size(); ++i) data.input_names.emplace_back("x").append(std::to_string(i));
  for (Index i = 0; i < teacher.output_size(); ++i) data.target_names.emplace_back("y").append(std::to_string(i));
  return data;
}

}  // namespace relufit::testing_teacher
