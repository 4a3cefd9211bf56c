// Model files: what is read predicts, and written and read again is the same.
#include <cstring>

#include "input_file.h"
#include "relufit/model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relufit;
  fuzz::read_or_complain(data, size, [](const std::string& path) {
    const Model model = load_model(path);
    const Matrix inputs = Matrix::Constant(model.network.input_size(), 3, 0.5);
    const Matrix outputs = model.predict(inputs);
    static const int copy = memfd_create("copy", 0);
    if (ftruncate(copy, 0) != 0 || lseek(copy, 0, SEEK_SET) != 0) std::abort();
    const std::string copy_path = "/proc/self/fd/" + std::to_string(copy);
    save_model(model, copy_path);
    const Matrix again = load_model(copy_path).predict(inputs);
    const auto bytes = static_cast<std::size_t>(outputs.size()) * sizeof(double);
    if (outputs.size() != again.size() || std::memcmp(outputs.data(), again.data(), bytes) != 0) std::abort();
  });
  return 0;
}
