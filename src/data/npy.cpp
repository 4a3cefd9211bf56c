#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "files/mapped_file.h"
#include "files/text.h"
#include "relufit/data.h"

namespace relufit {

namespace {

using detail::shown;

/// What the header of a NumPy file says.
struct NpyHeader {
  std::string type;  ///< "<f8" and the like
  bool fortran_order = false;
  std::vector<std::size_t> shape;
};

/// Reads a header, a Python dict of three members as numpy.save writes it. What stands there beyond that is refused.
class NpyHeaderReader {
 public:
  NpyHeaderReader(const std::string& path, std::string_view text) : path_(path), text_(text) {}

  NpyHeader read() {
    NpyHeader header;
    std::array<bool, 3> found = {};
    take('{');
    while (!takes('}')) {
      const std::string key = quoted();
      take(':');
      const std::size_t member = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : 3;
      if (member == 3 || found[member]) malformed();
      found[member] = true;
      if (member == 0) header.type = type();
      if (member == 1) header.fortran_order = truth();
      if (member == 2) header.shape = shape();
      if (takes('}')) break;
      take(',');
    }
    skip_blanks();
    if (!text_.empty() || !found[0] || !found[1] || !found[2]) malformed();
    return header;
  }

 private:
  [[noreturn]] void malformed() const {
    throw std::invalid_argument(path_ +
                                ": the header is not that of a NumPy array, expected descr, fortran_order and "
                                "shape");
  }

  void skip_blanks() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\n')) text_.remove_prefix(1);
  }

  bool takes(char c) {
    skip_blanks();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  void take(char c) {
    if (!takes(c)) malformed();
  }

  std::string quoted() {
    skip_blanks();
    if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) malformed();
    const std::size_t end = text_.find(text_.front(), 1);
    if (end == std::string_view::npos) malformed();
    const std::string result(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return result;
  }

  std::string type() {
    skip_blanks();
    if (!text_.empty() && text_.front() == '[') {
      throw std::invalid_argument(path_ + ": an array of records, expected one of numbers");
    }
    return quoted();
  }

  bool truth() {
    skip_blanks();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (text_.substr(0, word.size()) != word) continue;
      text_.remove_prefix(word.size());
      return value;
    }
    malformed();
  }

  std::vector<std::size_t> shape() {
    std::vector<std::size_t> sizes;
    take('(');
    while (!takes(')')) {
      skip_blanks();
      std::size_t size = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
      if (error != std::errc()) malformed();
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      sizes.push_back(size);
      if (takes(')')) break;
      take(',');
    }
    return sizes;
  }

  const std::string& path_;
  std::string_view text_;
};

/// The header, which `bytes` then begin behind.
NpyHeader take_header(const std::string& path, std::string_view& bytes) {
  constexpr std::string_view magic = "\x93NUMPY";
  if (bytes.substr(0, magic.size()) != magic) {
    throw std::invalid_argument(path + ": no NumPy file (.npy), as numpy.save writes it");
  }
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  const auto truncated = [&] { throw std::invalid_argument(path + ": the file ends in its header"); };
  if (bytes.size() < magic.size() + 2) truncated();
  const std::size_t major = byte(6);
  if (major < 1 || major > 3 || byte(7) != 0) {
    throw std::invalid_argument(
        fmt::format("{}: version {}.{} of the format, expected 1.0, 2.0 or 3.0", path, major, byte(7)));
  }
  const std::size_t begin = major == 1 ? 10 : 12;
  if (bytes.size() < begin) truncated();
  std::size_t length = byte(8) + (byte(9) << 8);
  if (major > 1) length += (byte(10) << 16) + (byte(11) << 24);
  if (bytes.size() - begin < length) truncated();
  const NpyHeader header = NpyHeaderReader(path, bytes.substr(begin, length)).read();
  bytes.remove_prefix(begin + length);
  return header;
}

/// Consecutive rows of a file.
struct Rows {
  Index begin, count;
  Index of_all;
};

/// The values of a file, of one type, at their places.
struct NpyValues {
  const std::string& path;
  const char* bytes;
  Index rows, columns;  ///< as in the file
  bool fortran_order;

  std::string place(Index row, Index column) const {
    return fmt::format("{}: row {}, column {}", path, row + 1, column + 1);
  }

  /// Columns x rows.
  template <typename Number>
  Matrix read(const Rows& part) const {
    Matrix values(columns, part.count);
    for (Index i = 0; i < part.count; ++i) {
      const Index row = part.begin + i;
      for (Index column = 0; column < columns; ++column) {
        const Index at = fortran_order ? column * rows + row : row * columns + column;
        Number number;
        std::memcpy(&number, bytes + static_cast<std::size_t>(at) * sizeof number, sizeof number);
        const auto value = static_cast<double>(number);
        check(number, value, row, column);
        values(column, i) = value;
      }
    }
    return values;
  }

 private:
  template <typename Number>
  void check(Number number, double value, Index row, Index column) const {
    if constexpr (std::is_floating_point_v<Number>) {
      if (std::isfinite(value)) return;
      throw std::invalid_argument(fmt::format("{}: {} is not a finite number", place(row, column), value));
    } else if constexpr (sizeof number == sizeof value) {
      constexpr Number largest = Number{1} << 53;
      if (number <= largest && (std::is_unsigned_v<Number> || number >= Number{0} - largest)) return;
      throw std::invalid_argument(
          fmt::format("{}: {} is beyond 2^53, expected a number that a double holds", place(row, column), number));
    }
  }
};

using NpyRead = Matrix (NpyValues::*)(const Rows& part) const;

struct NpyType {
  std::string_view name;
  std::size_t size;
  NpyRead read;
};

const NpyType& npy_type(const std::string& path, const std::string& name) {
  static const NpyType types[] = {
      {"<f8", 8, &NpyValues::read<double>},       {"<f4", 4, &NpyValues::read<float>},
      {"|b1", 1, &NpyValues::read<std::uint8_t>}, {"|u1", 1, &NpyValues::read<std::uint8_t>},
      {"|i1", 1, &NpyValues::read<std::int8_t>},  {"<u2", 2, &NpyValues::read<std::uint16_t>},
      {"<i2", 2, &NpyValues::read<std::int16_t>}, {"<u4", 4, &NpyValues::read<std::uint32_t>},
      {"<i4", 4, &NpyValues::read<std::int32_t>}, {"<u8", 8, &NpyValues::read<std::uint64_t>},
      {"<i8", 8, &NpyValues::read<std::int64_t>}};
  for (const NpyType& type : types) {
    if (type.name == name) return type;
  }
  const char* found = name.substr(0, 1) == ">" ? "big endian numbers " : name.substr(0, 2) == "|O" ? "objects " : "";
  throw std::invalid_argument(
      fmt::format("{}: an array of {}{}, expected floating point numbers of 32 or 64 bits, "
                  "integers or booleans, little endian",
                  path, found, shown(name)));
}

/// A file whose header and size are what they should be.
class NpyFile {
 public:
  explicit NpyFile(const std::string& path, std::size_t dimensions = 0)
      : path_(path), file_(path), bytes_(file_.bytes()), header_(take_header(path, bytes_)) {
    const NpyType& type = npy_type(path, header_.type);
    const std::vector<std::size_t>& shape = header_.shape;
    if (shape.empty() || shape.size() > 2 || (dimensions != 0 && shape.size() != dimensions)) {
      throw std::invalid_argument(fmt::format("{}: an array of {} dimensions, expected {}", path, shape.size(),
                                              dimensions == 0 ? "1 or 2" : fmt::format("{}", dimensions)));
    }
    const std::size_t columns = shape.size() == 2 ? shape[1] : 1;
    if (shape[0] == 0 || columns == 0) throw std::invalid_argument(path + ": no values, expected at least one");
    std::size_t size = 0;
    const bool too_large =
        __builtin_mul_overflow(shape[0], columns, &size) || __builtin_mul_overflow(size, type.size, &size);
    if (too_large || bytes_.size() != size) {
      throw std::invalid_argument(fmt::format("{}: {} bytes of values, expected {} x {} values of {} bytes", path,
                                              bytes_.size(), shape[0], columns, type.size));
    }
    rows_ = static_cast<Index>(shape[0]);
    columns_ = static_cast<Index>(columns);
  }

  Index rows() const { return rows_; }

  /// Columns x rows.
  Matrix read(const Rows& part) const {
    const NpyValues values{path_, bytes_.data(), rows_, columns_, header_.fortran_order};
    return (values.*npy_type(path_, header_.type).read)(part);
  }

 private:
  const std::string path_;
  const detail::MappedFile file_;
  std::string_view bytes_;
  const NpyHeader header_;
  Index rows_ = 0, columns_ = 0;
};

}  // namespace

Matrix read_npy(const std::string& path, std::size_t dimensions) {
  const NpyFile file(path, dimensions);
  return file.read({0, file.rows(), file.rows()});
}

namespace {

/// As a sequence of values where there is one for each sample; of these.
Matrix read_samples(const std::string& path, const char* what, const std::string& inputs, const Rows& part) {
  const NpyFile file(path);
  if (file.rows() == part.of_all) return file.read(part);
  throw std::invalid_argument(
      fmt::format("{}: {} rows of {}, expected {} as in {}", path, file.rows(), what, part.of_all, inputs));
}

std::vector<std::string> numbered(const char* prefix, Index count) {
  std::vector<std::string> names;
  for (Index i = 0; i < count; ++i) names.push_back(fmt::format("{}{}", prefix, i));
  return names;
}

/// All but targets.
Dataset read_input_file(const ArrayFiles& files, const NpyFile& inputs, const Rows& part) {
  Dataset data;
  data.inputs = inputs.read(part);
  data.input_names = numbered("x", data.inputs.rows());
  if (files.weights.empty()) return data;
  const Matrix weights = read_samples(files.weights, "weights", files.inputs, part);
  if (weights.rows() != 1) {
    throw std::invalid_argument(fmt::format("{}: {} columns of weights, expected 1", files.weights, weights.rows()));
  }
  data.sample_weights = weights.transpose();
  return data;
}

Dataset read_input_file(const ArrayFiles& files) {
  const NpyFile inputs(files.inputs, 2);
  return read_input_file(files, inputs, {0, inputs.rows(), inputs.rows()});
}

/// Numbers as labels, written so that they are told apart.
std::vector<std::string> read_labels(const ArrayFiles& files, Index samples) {
  const Matrix values = read_samples(files.targets, "labels", files.inputs, {0, samples, samples});
  if (values.rows() != 1) {
    throw std::invalid_argument(fmt::format("{}: {} columns of labels, expected 1", files.targets, values.rows()));
  }
  std::vector<std::string> labels;
  for (const double value : values.reshaped()) labels.push_back(fmt::format("{}", value));
  return labels;
}

void set_classes(Dataset& data, const ArrayFiles& files, const Classification& classification,
                 const std::vector<std::string>& labels) {
  const std::vector<Index> classes = class_indices(classification, labels);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] >= 0) continue;
    throw std::invalid_argument(fmt::format("{}: row {}: {} is no class, expected one of {}", files.targets, i + 1,
                                            shown(labels[i]), detail::list_of(classification.classes)));
  }
  data.classification = classification;
  data.target_names = output_names(classification);
  data.targets = class_targets(classification, classes);
}

}  // namespace

Dataset read_dataset(const ArrayFiles& files) { return read_dataset_part(files, 0, 1); }

Dataset read_dataset_part(const ArrayFiles& files, Index part, Index parts) {
  if (part < 0 || part >= parts)
    throw std::invalid_argument(fmt::format("part: {}, expected 0 to {}", part, parts - 1));
  const NpyFile inputs(files.inputs, 2);
  const Index begin = inputs.rows() * part / parts;
  const Rows rows{begin, inputs.rows() * (part + 1) / parts - begin, inputs.rows()};
  Dataset data = read_input_file(files, inputs, rows);
  data.targets = read_samples(files.targets, "targets", files.inputs, rows);
  data.target_names = numbered("y", data.targets.rows());
  return data;
}

Dataset read_classification(const ArrayFiles& files, const Loss& loss) {
  Dataset data = read_input_file(files);
  const std::vector<std::string> labels = read_labels(files, data.samples());
  set_classes(data, files, find_classes("class", labels, loss), labels);
  return data;
}

Dataset read_classification(const ArrayFiles& files, const Classification& classification) {
  Dataset data = read_input_file(files);
  set_classes(data, files, classification, read_labels(files, data.samples()));
  return data;
}

}  // namespace relufit
