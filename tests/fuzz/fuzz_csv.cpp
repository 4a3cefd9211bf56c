// CSV files: what is read is a rectangle of finite numbers, and can be made into data sets.
#include "input_file.h"
#include "relufit/data.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relufit;
  fuzz::read_or_complain(data, size, [](const std::string& path) {
    const Table table = read_csv(path);
    if (!table.values.allFinite() || table.values.cols() != static_cast<Index>(table.columns.size()) ||
        table.values.rows() != static_cast<Index>(table.lines.size())) {
      std::abort();
    }
    const Dataset dataset = make_dataset(table, {table.columns.back()});
    check_trainable(dataset, OutputActivation::linear);
  });
  fuzz::read_or_complain(data, size, [](const std::string& path) {
    const Table table = read_csv(path, {"class"});
    make_classification(table, "class", Loss::cross_entropy);
  });
  return 0;
}
