#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include "data/model_checks.h"
#include "files/json_cursor.h"
#include "files/text.h"
#include "relufit/files.h"
#include "relufit/model.h"

namespace relufit {
namespace {

using detail::json_list;
using detail::json_text;
using detail::JsonCursor;
using detail::JsonValue;
using detail::shown;

constexpr const char* kFormat = "relufit-model";
constexpr int kVersion = 1;

// ---- Writing

std::string scaling_text(const Scaling& scaling) {
  return fmt::format("{{\"offset\":{},\"scale\":{}}}", json_list(scaling.offset), json_list(scaling.scale));
}

std::string classification_text(const Classification& classification) {
  return fmt::format("{{\"classes\":{},\"label\":{},\"link\":\"{}\"}}", json_list(classification.classes),
                     json_text(classification.label), to_string(classification.link));
}

std::string categories_text(const std::vector<Category>& categories) {
  std::string text;
  for (const Category& category : categories) {
    text += fmt::format("{}{{\"column\":{},\"levels\":{}}}", text.empty() ? "" : ",", json_text(category.column),
                        json_list(category.levels));
  }
  return "[" + text + "]";
}

std::string layer_text(const Layer& layer) {
  std::string text = "    {\"weights\": [\n";
  for (Index row = 0; row < layer.weights.rows(); ++row) {
    text += "      " + json_list(Vector(layer.weights.row(row)));
    text += row + 1 < layer.weights.rows() ? ",\n" : "\n";
  }
  return text + "     ],\n     \"bias\": " + json_list(layer.bias) + "}";
}

std::string training_text(const TrainingRecord& record) {
  std::vector<std::pair<const char*, std::string>> fields = {
      {"version", json_text(record.version)},
      {"strategy", json_text(record.strategy)},
      {"loss", json_text(record.loss)},
      {"status", json_text(record.status)},
      {"seed", fmt::format("{}", record.seed)},
      {"samples", fmt::format("{}", record.samples)},
      {"iterations", fmt::format("{}", record.iterations)},
      {"seconds", json_text(record.seconds)},
      {"relative_residual", json_text(record.relative_residual)},
      {"pair_violation", json_text(record.pair_violation)},
      {"product_violation", json_text(record.product_violation)},
  };
  if (record.loss_parameter != 0) fields.emplace_back("loss_parameter", json_text(record.loss_parameter));
  if (record.ridge && std::isfinite(*record.ridge)) fields.emplace_back("ridge", json_text(*record.ridge));
  std::string text;
  for (const auto& [name, value] : fields) {
    text += fmt::format("{}    \"{}\": {}", text.empty() ? "" : ",\n", name, value);
  }
  return text;
}

std::string model_text(const Model& model) {
  std::string text = fmt::format("{{\n  \"format\": \"{}\",\n  \"version\": {},\n", kFormat, kVersion);
  const auto add = [&text](const char* name, const std::string& value) {
    text += fmt::format("  \"{}\": {},\n", name, value);
  };
  add("input_names", json_list(model.input_names));
  add("target_names", json_list(model.target_names));
  if (!model.classification.empty()) add("classification", classification_text(model.classification));
  if (!model.categories.empty()) add("categories", categories_text(model.categories));
  const Activation& activation = model.network.activation();
  if (activation != Activation::relu) add("activation", json_text(to_string(activation)));
  if (has_parameter(activation)) add("activation_parameter", json_text(activation.parameter));
  if (model.network.skip_connections()) add("skip_connections", "true");
  add("output_activation", json_text(to_string(model.network.output_activation())));
  add("input_scaling", scaling_text(model.input_scaling));
  add("target_scaling", scaling_text(model.target_scaling));
  text += "  \"layers\": [\n";
  const std::vector<Layer>& layers = model.network.layers();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    text += layer_text(layers[i]) + (i + 1 < layers.size() ? ",\n" : "\n");
  }
  return text + "  ],\n  \"training\": {\n" + training_text(model.training) + "\n  }\n}\n";
}

void check_writable(const Model& model, const std::string& path) {
  const Network& network = model.network;
  const auto require = [&](const std::string& problem) {
    if (!problem.empty()) throw std::invalid_argument(fmt::format("{}: cannot be written: {}", path, problem));
  };
  if (network.layers().empty()) require("layers: none, expected at least 1");
  if (static_cast<Index>(model.input_names.size()) != network.input_size()) {
    require(fmt::format("input_names: {} names, expected {}", model.input_names.size(), network.input_size()));
  }
  if (static_cast<Index>(model.target_names.size()) != network.output_size()) {
    require(fmt::format("target_names: {} names, expected {}", model.target_names.size(), network.output_size()));
  }
  require(names_problem("input_names", model.input_names));
  require(names_problem("target_names", model.target_names));
  require(scaling_problem("input_scaling", model.input_scaling, model.input_names.size(), false));
  require(scaling_problem("target_scaling", model.target_scaling, model.target_names.size(),
                          network.output_activation() == OutputActivation::relu));
  if (!model.classification.empty()) {
    require(classification_problem(model.classification, model.target_names.size(), network.output_activation()));
  }
  require(categories_problem(model.categories, model.input_names));
  const TrainingRecord& record = model.training;
  for (const std::string* text : {&record.version, &record.strategy, &record.loss, &record.status}) {
    if (!detail::is_valid_utf8(*text)) require(fmt::format("training: {} is not UTF-8 text", shown(*text)));
  }
  if (record.samples < 0 || record.iterations < 0) {
    require(fmt::format("training: {} samples and {} iterations, expected none below 0", record.samples,
                        record.iterations));
  }
}

// ---- Reading

Scaling read_scaling(const JsonCursor& field, std::size_t size, bool offset_is_zero) {
  Scaling scaling{field.member("offset").numbers(size), field.member("scale").numbers(size)};
  field.require(scaling_problem(field.path(), scaling, size, offset_is_zero));
  return scaling;
}

/// `outputs` is 0 where the layer itself decides how many it has.
Layer read_layer(const JsonCursor& field, std::size_t inputs, std::size_t outputs) {
  const JsonCursor weights = field.member("weights");
  const std::size_t rows = weights.size();
  if (outputs != 0 && rows != outputs) weights.fail(fmt::format("{} rows, expected {}", rows, outputs));
  if (rows == 0) weights.fail("no rows, expected at least 1");
  for (std::size_t i = 0; i < rows; ++i) {
    // In words the rows count from 1; paths in brackets count from 0 as JSON does.
    const std::size_t values = weights.element(i).size();
    if (values != inputs) weights.fail(fmt::format("row {} has {} values, expected {}", i + 1, values, inputs));
  }
  Layer layer;  // memory for as many weights as the file holds, not as its names promise
  layer.weights.resize(static_cast<Index>(rows), static_cast<Index>(inputs));
  for (std::size_t i = 0; i < rows; ++i) {
    layer.weights.row(static_cast<Index>(i)) = weights.element(i).numbers(inputs).transpose();
  }
  layer.bias = field.member("bias").numbers(rows);
  return layer;
}

std::vector<Layer> read_layers(const JsonCursor& field, std::size_t inputs, std::size_t outputs,
                               const Activation& activation, bool skip_connections) {
  std::vector<Layer> layers;
  const std::size_t count = field.size();
  const std::size_t skipped = skip_connections ? inputs : 0;
  const auto arguments = static_cast<std::size_t>(arguments_per_unit(activation));
  if (count == 0) field.fail("no layers, expected at least 1");
  for (std::size_t i = 0; i < count; ++i) {
    layers.push_back(read_layer(field.element(i), inputs, i + 1 == count ? outputs : 0));
    const auto rows = static_cast<std::size_t>(layers.back().weights.rows());
    if (i + 1 < count && rows % arguments != 0) {
      field.element(i).member("weights").fail(fmt::format("{} rows, expected a multiple of {}", rows, arguments));
    }
    inputs = rows / arguments + skipped;
  }
  return layers;
}

TrainingRecord read_training(const JsonCursor& field) {
  constexpr auto kLargestIndex = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  TrainingRecord record;
  record.version = field.member("version").text();
  record.strategy = field.member("strategy").text();
  record.loss = field.member("loss").text();
  record.status = field.member("status").text();
  record.seed = static_cast<unsigned>(field.member("seed").count(std::numeric_limits<unsigned>::max()));
  record.samples = static_cast<Index>(field.member("samples").count(kLargestIndex));
  record.iterations = static_cast<Index>(field.member("iterations").count(kLargestIndex));
  record.seconds = field.member("seconds").number_or_null();
  record.relative_residual = field.member("relative_residual").number_or_null();
  record.pair_violation = field.member("pair_violation").number_or_null();
  record.product_violation = field.member("product_violation").number_or_null();
  if (field.has("loss_parameter")) record.loss_parameter = field.member("loss_parameter").number();
  if (field.has("ridge")) record.ridge = field.member("ridge").number();
  return record;
}

Classification read_classification(const JsonCursor& field) {
  Classification classification;
  classification.label = field.member("label").text();
  classification.classes = field.member("classes").texts();
  const JsonCursor link = field.member("link");
  const std::string name = link.text();
  for (const Link known : {Link::softmax, Link::logistic, Link::none}) {
    classification.link = known;
    if (name == to_string(known)) return classification;
  }
  link.expected("'softmax', 'logistic' or 'none'");
}

std::vector<Category> read_categories(const JsonCursor& field) {
  std::vector<Category> categories;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const JsonCursor category = field.element(i);
    categories.push_back({category.member("column").text(), category.member("levels").texts()});
  }
  return categories;
}

/// Files of ReLU networks need not say so.
Activation read_activation(const JsonCursor& root) {
  if (!root.has("activation")) return Activation::relu;
  std::optional<double> parameter;
  if (root.has("activation_parameter")) parameter = root.member("activation_parameter").number();
  try {
    return activation_from(root.member("activation").text(), parameter);
  } catch (const std::invalid_argument& error) {
    root.require(error.what());
    throw;
  }
}

Model read_model(const JsonCursor& root) {
  const JsonCursor format = root.member("format");
  if (format.text() != kFormat) format.expected(shown(kFormat));
  const JsonCursor version = root.member("version");
  if (version.number() != kVersion) version.expected(fmt::format("{}, the only one this program knows", kVersion));

  Model model;
  model.input_names = root.member("input_names").texts();
  root.require(names_problem("input_names", model.input_names));
  model.target_names = root.member("target_names").texts();
  root.require(names_problem("target_names", model.target_names));
  const JsonCursor output_activation = root.member("output_activation");
  const std::string output_name = output_activation.text();
  if (output_name != "linear" && output_name != "relu") output_activation.expected("'linear' or 'relu'");
  const OutputActivation output = output_activation_from(output_name);
  const std::size_t inputs = model.input_names.size();
  const std::size_t targets = model.target_names.size();
  model.input_scaling = read_scaling(root.member("input_scaling"), inputs, false);
  model.target_scaling = read_scaling(root.member("target_scaling"), targets, output == OutputActivation::relu);
  const Activation activation = read_activation(root);
  const bool skip_connections = root.has("skip_connections") && root.member("skip_connections").truth();
  model.network = Network(read_layers(root.member("layers"), inputs, targets, activation, skip_connections), output,
                          activation, skip_connections);
  model.training = read_training(root.member("training"));
  if (root.has("classification")) {
    model.classification = read_classification(root.member("classification"));
    root.require(classification_problem(model.classification, targets, output));
  }
  if (root.has("categories")) {
    model.categories = read_categories(root.member("categories"));
    root.require(categories_problem(model.categories, model.input_names));
  }
  return model;
}

}  // namespace

void save_model(const Model& model, const std::string& path) {
  check_writable(model, path);
  write_file(path, model_text(model));
}

Model load_model(const std::string& path) {
  const JsonValue document = detail::parse_json(read_file(path), path);
  if (document.object() == nullptr) JsonCursor(path, document).expected("an object with a relufit model");
  return read_model(JsonCursor(path, document));
}

}  // namespace relufit
