#include "relufit/teacher.h"

#include <fmt/format.h>

#include <stdexcept>

#include "base/random.h"

namespace relufit {

Teacher make_teacher(const std::vector<Index>& widths, OutputActivation output, Index samples,
                     unsigned long long seed) {
  if (samples < 1) throw std::invalid_argument(fmt::format("samples: {}, expected at least 1", samples));
  std::vector<Layer> layers = Network(Architecture{widths, output}).layers();
  Random random(seed);
  for (Layer& layer : layers) layer.weights = 0.5 * random.normal(layer.weights.rows(), layer.weights.cols());
  for (Layer& layer : layers) layer.bias = 0.1 * random.normal(layer.bias.size(), 1);
  Teacher teacher;
  teacher.network = Network(std::move(layers), output);
  teacher.inputs = random.normal(widths.front(), samples);
  teacher.targets = teacher.network.forward(teacher.inputs);
  return teacher;
}

}  // namespace relufit
