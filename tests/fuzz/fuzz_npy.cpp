// NumPy files: what is read is finite numbers, as many as the file has room for.
#include "input_file.h"
#include "relufit/data.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relufit;
  fuzz::read_or_complain(data, size, [size](const std::string& path) {
    const Matrix values = read_npy(path);
    if (values.size() == 0 || static_cast<std::size_t>(values.size()) > size || !values.allFinite()) std::abort();
  });
  return 0;
}
