#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "relufit/constraints.h"
#include "text.h"

namespace relufit {

namespace {

using detail::shown;
using nlohmann::json;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// One member of the file, with its place for messages.
class Node {
 public:
  Node(const json& value, std::string place) : value_(value), place_(std::move(place)) {}

  [[noreturn]] void fail(const std::string& expected) const {
    throw std::invalid_argument(
        fmt::format("{}: {}, expected {}", place_, detail::printable(value_.dump(), 60), expected));
  }

  /// The object's members must be among these.
  void expect_members(std::initializer_list<const char*> names) const {
    if (!value_.is_object()) fail("an object");
    for (const auto& [name, unused] : value_.items()) {
      const bool known = std::find(names.begin(), names.end(), name) != names.end();
      if (!known) {
        throw std::invalid_argument(
            fmt::format("{}: unknown member {}, expected {}", place_, shown(name), fmt::join(names, ", ")));
      }
    }
  }

  bool has(const char* name) const { return value_.contains(name); }

  Node operator[](const char* name) const {
    if (!has(name)) throw std::invalid_argument(fmt::format("{}: member '{}' is missing", place_, name));
    return {value_.at(name), fmt::format("{}.{}", place_, name)};
  }

  std::vector<Node> items() const {
    if (!value_.is_array()) fail("an array");
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < value_.size(); ++i) nodes.emplace_back(value_[i], fmt::format("{}[{}]", place_, i));
    return nodes;
  }

  double number() const {
    if (!value_.is_number() || !std::isfinite(value_.get<double>())) fail("a number");
    return value_.get<double>();
  }

  Index position() const {
    if (!value_.is_number_integer() || value_.get<std::int64_t>() < 1) fail("a whole number from 1 on");
    return value_.get<Index>();
  }

  std::string text() const {
    if (!value_.is_string()) fail("a text");
    return value_.get<std::string>();
  }

  bool truth() const {
    if (!value_.is_boolean()) fail("true or false");
    return value_.get<bool>();
  }

 private:
  const json& value_;
  std::string place_;
};

WeightBound weight_bound_from(const Node& node) {
  node.expect_members({"layer", "unit", "source", "lower", "upper", "value"});
  WeightBound bound{node["layer"].position(), {}, {}, -kInfinity, kInfinity};
  if (node.has("unit")) bound.unit = node["unit"].position();
  if (node.has("source")) bound.source = node["source"].position();
  if (node.has("lower")) bound.lower = node["lower"].number();
  if (node.has("upper")) bound.upper = node["upper"].number();
  if (node.has("value")) {
    if (node.has("lower") || node.has("upper")) node.fail("either value, or lower and upper");
    bound.lower = bound.upper = node["value"].number();
  }
  if (bound.lower == -kInfinity && bound.upper == kInfinity) node.fail("lower, upper or value");
  return bound;
}

Monotone monotone_from(const Node& node) {
  node.expect_members({"input", "target", "direction"});
  const Node direction = node["direction"];
  const std::string text = direction.text();
  if (text != "increasing" && text != "decreasing") direction.fail("increasing or decreasing");
  return {node["input"].text(), node["target"].text(), text == "increasing"};
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

}  // namespace

Constraints load_constraints(const std::string& path) { return parse_constraints(detail::read_file(path), path); }

Constraints parse_constraints(const std::string& text, const std::string& source) {
  json file;
  try {
    file = json::parse(text);
  } catch (const json::parse_error& error) {
    throw std::invalid_argument(fmt::format("{}: not JSON, at byte {}", source, error.byte));
  }
  const Node root(file, source);
  root.expect_members({"weights", "monotone", "norms", "lipschitz", "convex"});
  Constraints constraints;
  if (root.has("weights")) {
    for (const Node& node : root["weights"].items()) constraints.weights.push_back(weight_bound_from(node));
  }
  if (root.has("monotone")) {
    for (const Node& node : root["monotone"].items()) constraints.monotone.push_back(monotone_from(node));
  }
  if (root.has("norms")) {
    for (const Node& node : root["norms"].items()) constraints.norms.push_back(norm_from(node));
  }
  if (root.has("lipschitz")) {
    constraints.lipschitz = root["lipschitz"].number();
    if (!(*constraints.lipschitz > 0)) root["lipschitz"].fail("a number > 0");
  }
  if (root.has("convex")) constraints.convex = root["convex"].truth();
  if (constraints.empty()) throw std::invalid_argument(fmt::format("{}: no constraint in it", source));
  return constraints;
}

}  // namespace relufit
