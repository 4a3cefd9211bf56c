#include "relufit/c_export.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <stdexcept>

#include "files/text.h"
#include "relufit/files.h"
#include "relufit/version.h"

namespace relufit {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

void check(const CExportOptions& options) {
  const std::string& name = options.name;
  const auto allowed = [](char c) { return is_letter(c) || is_digit(c); };
  if (!name.empty() && is_letter(name.front()) && std::all_of(name.begin(), name.end(), allowed)) return;
  throw std::invalid_argument(
      fmt::format("name: {} is not a name in C, expected letters, digits and underscores", detail::shown(name)));
}

/// A foreign name for a comment, which nothing in it can end or continue.
std::string comment_text(const std::string& name) {
  std::string text;
  for (const char c : detail::shown(name)) {
    const char last = text.empty() ? ' ' : text.back();
    const bool special = (last == '*' && c == '/') || (last == '/' && c == '*') || (last == '?' && c == '?');
    if (special) text += ' ';
    text += c;
  }
  return text;
}

class Source {
 public:
  Source(const Model& model, const CExportOptions& options)
      : model_(model), real_(options.single_precision ? "float" : "double"), single_(options.single_precision) {
    check(options);
    name_ = options.name;
    for (const char c : name_) macro_ += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }

  std::string text() {
    head();
    constants();
    values();
    text_ += "}\n\n#endif\n";
    return std::move(text_);
  }

 private:
  template <class... Arguments>
  void add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    text_ += fmt::format(format, std::forward<Arguments>(arguments)...);
  }

  std::string number(double value, const std::string& place) const {
    std::string text;
    if (single_) {
      const auto rounded = static_cast<float>(value);
      if (!std::isfinite(rounded) || (place == "input_scale" && rounded == 0)) {  // which divides

        throw std::invalid_argument(fmt::format("{}: {} does not fit single precision", place, value));
      }
      text = fmt::format("{}", rounded);
    } else {
      text = fmt::format("{}", value);
    }
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return single_ ? text + "f" : text;
  }

  /// {1.0, 2.0}, in lines of at most 120 columns.
  std::string list(const Eigen::Ref<const Vector>& values, const std::string& place) const {
    constexpr std::size_t kWidth = 114;
    std::string lines;
    std::string line = "{";
    for (Index i = 0; i < values.size(); ++i) {
      const std::string next = number(values(i), place);
      if (line.size() + next.size() > kWidth) {
        lines += line + "\n     ";
        line.clear();
      }
      line += next + (i + 1 < values.size() ? ", " : "}");
    }
    return lines + line;
  }

  void vector(const std::string& name, const Vector& values) {
    add("  static const {} {}[{}] = {};\n", real_, name, values.size(), list(values, name));
  }

  void matrix(const std::string& name, const Matrix& values) {
    add("  static const {} {}[{}][{}] = {{\n", real_, name, values.rows(), values.cols());
    for (Index row = 0; row < values.rows(); ++row) {
      add("    {}{}\n", list(values.row(row).transpose(), name), row + 1 < values.rows() ? "," : "};");
    }
  }

  void names(const char* title, const std::vector<std::string>& names) {
    add(" * {}\n", title);
    for (std::size_t i = 0; i < names.size(); ++i) add(" *   [{}] {}\n", i, comment_text(names[i]));
  }

  void head() {
    const Network& network = model_.network;
    add("/* {} network {}{}, {} outputs, written by relufit {}. C99, no allocation.\n",
        network.activation() == Activation::relu ? "ReLU" : to_string(network.activation()),
        fmt::join(network.widths(), "-"), network.skip_connections() ? " with skip connections" : "",
        to_string(network.output_activation()), version);
    names("inputs", model_.input_names);
    names("outputs", model_.target_names);
    add(" */\n#ifndef {0}_NETWORK_H\n#define {0}_NETWORK_H\n\n", macro_);
    add("#define {}_INPUTS {}\n#define {}_OUTPUTS {}\n\n", macro_, network.input_size(), macro_, network.output_size());
    add("/* Outputs for one sample of inputs, both in the units of the data. */\n");
    add("static inline void {0}_predict(const {1} inputs[{2}_INPUTS], {1} outputs[{2}_OUTPUTS]) {{\n", name_, real_,
        macro_);
  }

  void constants() {
    vector("input_offset", model_.input_scaling.offset);
    vector("input_scale", model_.input_scaling.scale);
    const std::vector<Layer>& layers = model_.network.layers();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      matrix(fmt::format("weights{}", i + 1), layers[i].weights);
      vector(fmt::format("bias{}", i + 1), bias_of(i));
    }
    vector("output_offset", model_.target_scaling.offset);
    vector("output_scale", model_.target_scaling.scale);
  }

  /// In single precision input_offset is rounded, by more than a scale where inputs are years or timestamps: layers
  /// that see the inputs make up for it.
  Vector bias_of(std::size_t i) const {
    const Layer& layer = model_.network.layers()[i];
    if (!single_ || (i > 0 && !model_.network.skip_connections())) return layer.bias;
    const Vector& offset = model_.input_scaling.offset;
    const Vector error = (offset.cast<float>().cast<double>() - offset).cwiseQuotient(model_.input_scaling.scale);
    return layer.bias + layer.weights.rightCols(offset.size()) * error;
  }

  void values() {
    const Network& network = model_.network;
    const std::vector<Index> widths = network.widths();
    const std::string last =
        network.output_activation() == OutputActivation::relu ? activated(Activation::relu) : "sum";
    const bool maxout = network.activation() == Activation::maxout;
    for (std::size_t i = 0; i < widths.size(); ++i) add("  {} v{}[{}];\n", real_, i, widths[i]);
    add("  int i, j;\n\n");
    add("  for (i = 0; i < {}; ++i) v0[i] = (inputs[i] - input_offset[i]) / input_scale[i];\n", widths.front());
    for (std::size_t i = 1; i < widths.size(); ++i) {
      const bool hidden = i + 1 < widths.size();
      add("  for (i = 0; i < {}; ++i) {{\n", widths[i]);
      sum("sum", i, "i");
      if (hidden && maxout) sum("other", i, fmt::format("{} + i", widths[i]));
      add("    v{}[i] = {};\n  }}\n", i, hidden ? activated(network.activation()) : last);
    }
    add("  for (i = 0; i < {}; ++i) outputs[i] = output_offset[i] + output_scale[i] * v{}[i];\n", widths.back(),
        widths.size() - 1);
  }

  /// An argument of a unit of layer i.
  void sum(const char* name, std::size_t i, const std::string& row) {
    const std::vector<Index> widths = model_.network.widths();
    add("    {} {} = bias{}[{}];\n", real_, name, i, row);
    add("    for (j = 0; j < {}; ++j) {} += weights{}[{}][j] * v{}[j];\n", widths[i - 1], name, i, row, i - 1);
    if (i > 1 && model_.network.skip_connections()) {
      add("    for (j = 0; j < {}; ++j) {} += weights{}[{}][{} + j] * v0[j];\n", widths[0], name, i, row,
          widths[i - 1]);
    }
  }

  /// The value of a unit for its argument `sum` (and `other` of maxout). No maxima: NaN must stay NaN.
  std::string activated(const Activation& activation) const {
    switch (activation.kind) {
      case Activation::Kind::relu:
        return "sum < 0 ? 0 : sum";
      case Activation::Kind::leaky_relu:
        return fmt::format("sum < 0 ? {} * sum : sum", number(activation.parameter, "activation"));
      case Activation::Kind::absolute:
        return "sum < 0 ? -sum : sum";
      case Activation::Kind::clipped_relu:
        return fmt::format("sum < 0 ? 0 : sum > {0} ? {0} : sum", number(activation.parameter, "activation"));
      case Activation::Kind::maxout:
        return "sum > other || sum != sum ? sum : other";
      case Activation::Kind::hard_tanh:
        break;
    }
    return "sum < -1 ? -1 : sum > 1 ? 1 : sum";
  }

  const Model& model_;
  const char* real_;
  bool single_;
  std::string name_, macro_, text_;
};

}  // namespace

std::string c_source(const Model& model, const CExportOptions& options) { return Source(model, options).text(); }

void export_c(const Model& model, const std::string& path, const CExportOptions& options) {
  write_file(path, c_source(model, options));
}

std::string c_name_from(const std::string& path) {
  std::string name = std::filesystem::path(path).stem().string();
  for (char& c : name) {
    if (!is_letter(c) && !is_digit(c)) c = '_';
  }
  if (name.empty() || is_digit(name.front())) name = "model_" + name;
  return name;
}

}  // namespace relufit
