// CSV files: what is read is a rectangle of finite numbers, can be made into data sets, and is the same in parts.
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
    Index rows = 0;
    for (Index part = 0; part < 3; ++part) {
      const Table some = read_csv_part(path, part, 3);
      const Index count = some.values.rows();
      if (some.columns != table.columns || rows + count > table.values.rows()) std::abort();
      if (some.values != table.values.middleRows(rows, count)) std::abort();
      rows += count;
    }
    if (rows != table.values.rows()) std::abort();
    const Dataset dataset = make_dataset(table, {table.columns.back()});
    check_trainable(dataset, OutputActivation::linear);
  });
  fuzz::read_or_complain(data, size, [](const std::string& path) {
    const Table table = read_csv(path, {"class"});
    make_classification(table, "class", Loss::cross_entropy);
    with_levels(table, find_categories(table, {"class"}));
  });
  return 0;
}
