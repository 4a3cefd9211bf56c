#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <stdexcept>

#include "base/infinity.h"
#include "base/json_value.h"
#include "base/text.h"
#include "relufit/constraints.h"
#include "relufit/files.h"

namespace relufit {

namespace {

using detail::JsonValue;
using detail::shown;

/// One member of the file, with its place for messages.
class Node {
 public:
  Node(const JsonValue& value, std::string place) : value_(value), place_(std::move(place)) {}

  [[noreturn]] void fail(const std::string& expected) const {
    throw std::invalid_argument(
        fmt::format("{}: {}, expected {}", place_, detail::printable(value_.dump(), 60), expected));
  }

  /// The object's members must be among these.
  void expect_members(std::initializer_list<const char*> names) const {
    if (value_.object() == nullptr) fail("an object");
    for (const auto& [name, unused] : *value_.object()) {
      const bool known = std::find(names.begin(), names.end(), name) != names.end();
      if (!known) {
        throw std::invalid_argument(
            fmt::format("{}: unknown member {}, expected {}", place_, shown(name), fmt::join(names, ", ")));
      }
    }
  }

  bool has(const char* name) const { return value_.find(name) != nullptr; }

  Node operator[](const char* name) const {
    if (!has(name)) throw std::invalid_argument(fmt::format("{}: member '{}' is missing", place_, name));
    return {*value_.find(name), fmt::format("{}.{}", place_, name)};
  }

  std::vector<Node> items() const {
    if (value_.array() == nullptr) fail("an array");
    std::vector<Node> nodes;
    for (const JsonValue& value : *value_.array()) {
      nodes.emplace_back(value, fmt::format("{}[{}]", place_, nodes.size()));
    }
    return nodes;
  }

  double number() const {
    if (!value_.number()) fail("a number");
    return *value_.number();
  }

  Index position() const {
    constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
    const std::uint64_t position = value_.count().value_or(0);
    if (position < 1 || position > kLargest) fail("a whole number from 1 on");
    return static_cast<Index>(position);
  }

  bool is_text() const { return value_.text() != nullptr; }

  std::string text() const {
    if (!is_text()) fail("a text");
    return *value_.text();
  }

  bool truth() const {
    if (value_.truth() == nullptr) fail("true or false");
    return *value_.truth();
  }

 private:
  const JsonValue& value_;
  std::string place_;
};

/// lower and upper, or value for both.
void read_interval(const Node& node, double& lower, double& upper) {
  if (node.has("lower")) lower = node["lower"].number();
  if (node.has("upper")) upper = node["upper"].number();
  if (node.has("value")) {
    if (node.has("lower") || node.has("upper")) node.fail("either value, or lower and upper");
    lower = upper = node["value"].number();
  }
  if (lower == -kInfinity && upper == kInfinity) node.fail("lower, upper or value");
}

WeightBound weight_bound_from(const Node& node) {
  node.expect_members({"layer", "unit", "source", "lower", "upper", "value"});
  WeightBound bound{node["layer"].position(), {}, {}, -kInfinity, kInfinity};
  if (node.has("unit")) bound.unit = node["unit"].position();
  if (node.has("source")) bound.source = node["source"].position();
  read_interval(node, bound.lower, bound.upper);
  return bound;
}

Monotone monotone_from(const Node& node) {
  node.expect_members({"input", "target", "direction"});
  const Node direction = node["direction"];
  const std::string text = direction.text();
  if (text != "increasing" && text != "decreasing") direction.fail("increasing or decreasing");
  return {node["input"].text(), node["target"].text(), text == "increasing"};
}

Curvature curvature_from(const Node& node) {
  node.expect_members({"input", "target", "shape"});
  const Node bend = node["shape"];
  const std::string text = bend.text();
  if (text != "convex" && text != "concave") bend.fail("convex or concave");
  return {node["input"].text(), node["target"].text(), text == "convex"};
}

NormBound norm_from(const Node& node) {
  node.expect_members({"layer", "norm", "at_most"});
  const Node norm = node["norm"];
  const std::string name = norm.text();
  NormBound bound;
  bound.layer = node["layer"].position();
  if (name == "frobenius") {
    bound.norm = WeightTerm::Kind::frobenius_ball;
  } else if (name == "rows") {
    bound.norm = WeightTerm::Kind::row_ball;
  } else if (name == "spectral") {
    bound.norm = WeightTerm::Kind::spectral_ball;
  } else {
    norm.fail("frobenius, rows or spectral");
  }
  bound.at_most = node["at_most"].number();
  if (bound.at_most < 0) node["at_most"].fail("a number >= 0");
  return bound;
}

/// The bounds that a member `name` sets: one number, or one for each point from the column of that name.
Vector bound_values(const Node& node, const char* name, const Table& points, double none) {
  if (!node.has(name)) return Vector::Constant(1, none);
  const Node value = node[name];
  if (!value.is_text()) return Vector::Constant(1, value.number());
  const std::string column = value.text();
  if (std::find(points.columns.begin(), points.columns.end(), column) == points.columns.end()) {
    value.fail("a number, or the name of a column of the points");
  }
  return select_columns(points, {column}).row(0).transpose();
}

OutputBound::Part output_part_from(const Node& node) {
  node.expect_members({"target", "factor"});
  OutputBound::Part part{node["target"].text(), 1};
  if (node.has("factor")) part.factor = node["factor"].number();
  if (part.factor == 0) node["factor"].fail("a number other than 0");
  return part;
}

OutputBound output_bound_from(const Node& node, const std::string& source) {
  node.expect_members({"target", "sum", "points", "lower", "upper"});
  OutputBound bound;
  if (node.has("target") == node.has("sum")) node.fail("target or sum, one of them");
  if (node.has("target")) {
    bound.parts = {{node["target"].text(), 1}};
  } else {
    bound.is_sum = true;
    for (const Node& part : node["sum"].items()) bound.parts.push_back(output_part_from(part));
    if (bound.parts.empty()) node["sum"].fail("at least one target");
  }
  if (node.has("points")) {
    const std::filesystem::path file = node["points"].text();
    bound.points = read_csv((std::filesystem::path(source).parent_path() / file).string());
  }
  if (!node.has("lower") && !node.has("upper")) node.fail("lower, upper or both");
  bound.lower = bound_values(node, "lower", bound.points, -kInfinity);
  bound.upper = bound_values(node, "upper", bound.points, kInfinity);
  return bound;
}

HiddenBound hidden_bound_from(const Node& node) {
  node.expect_members({"layer", "at_most"});
  HiddenBound bound;
  if (node.has("layer")) bound.layer = node["layer"].position();
  bound.at_most = node["at_most"].number();
  if (!(bound.at_most > 0)) node["at_most"].fail("a number > 0");
  return bound;
}

LinearBound linear_bound_from(const Node& node) {
  node.expect_members({"layer", "sum", "lower", "upper", "value"});
  LinearBound bound{node["layer"].position(), {}, -kInfinity, kInfinity};
  for (const Node& part : node["sum"].items()) {
    part.expect_members({"unit", "source", "factor"});
    bound.parts.push_back({part["unit"].position(), part["source"].position(), 1});
    if (part.has("factor")) bound.parts.back().factor = part["factor"].number();
    if (bound.parts.back().factor == 0) part["factor"].fail("a number other than 0");
  }
  if (bound.parts.empty()) node["sum"].fail("at least one weight");
  read_interval(node, bound.lower, bound.upper);
  return bound;
}

}  // namespace

Constraints load_constraints(const std::string& path) { return parse_constraints(read_file(path), path); }

Constraints parse_constraints(const std::string& text, const std::string& source) {
  const JsonValue file = detail::parse_json(text, source);
  const Node root(file, source);
  root.expect_members(
      {"weights", "linear", "monotone", "curvature", "norms", "lipschitz", "convex", "outputs", "hidden"});
  Constraints constraints;
  if (root.has("weights")) {
    for (const Node& node : root["weights"].items()) constraints.weights.push_back(weight_bound_from(node));
  }
  if (root.has("linear")) {
    for (const Node& node : root["linear"].items()) constraints.linear.push_back(linear_bound_from(node));
  }
  if (root.has("monotone")) {
    for (const Node& node : root["monotone"].items()) constraints.monotone.push_back(monotone_from(node));
  }
  if (root.has("curvature")) {
    for (const Node& node : root["curvature"].items()) constraints.curvature.push_back(curvature_from(node));
  }
  if (root.has("norms")) {
    for (const Node& node : root["norms"].items()) constraints.norms.push_back(norm_from(node));
  }
  if (root.has("lipschitz")) {
    constraints.lipschitz = root["lipschitz"].number();
    if (!(*constraints.lipschitz > 0)) root["lipschitz"].fail("a number > 0");
  }
  if (root.has("convex")) constraints.convex = root["convex"].truth();
  if (root.has("outputs")) {
    for (const Node& node : root["outputs"].items()) constraints.outputs.push_back(output_bound_from(node, source));
  }
  if (root.has("hidden")) {
    for (const Node& node : root["hidden"].items()) constraints.hidden.push_back(hidden_bound_from(node));
  }
  if (constraints.empty()) throw std::invalid_argument(fmt::format("{}: no constraint in it", source));
  return constraints;
}

}  // namespace relufit
