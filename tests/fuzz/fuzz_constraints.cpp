// Constraints files: what is read can be brought to bear on a network, or contradicts itself.
#include "input_file.h"
#include "relufit/constraints.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relufit;
  fuzz::read_or_complain(data, size, [](const std::string& path) {
    const Constraints constraints = load_constraints(path);
    const NamedNetwork shape{Architecture{{2, 3, 2}}, {"a", "b"}, {"y", "z"}};
    weight_terms(constraints, shape);
    bounded_points(constraints, shape, Matrix::Zero(2, 4));
  });
  return 0;
}
