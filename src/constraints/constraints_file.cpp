#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>

#include "base/infinity.h"
#include "files/json_cursor.h"
#include "relufit/constraints.h"
#include "relufit/files.h"

namespace relufit {

namespace {

using detail::JsonCursor;
using detail::JsonValue;

/// lower and upper, or value for both.
void read_interval(const JsonCursor& node, double& lower, double& upper) {
  if (node.has("lower")) lower = node.member("lower").number();
  if (node.has("upper")) upper = node.member("upper").number();
  if (node.has("value")) {
    if (node.has("lower") || node.has("upper")) node.expected("either value, or lower and upper");
    lower = upper = node.member("value").number();
  }
  if (lower == -kInfinity && upper == kInfinity) node.expected("lower, upper or value");
}

WeightBound weight_bound_from(const JsonCursor& node) {
  node.expect_members({"layer", "unit", "source", "lower", "upper", "value"});
  WeightBound bound{node.member("layer").position(), {}, {}, -kInfinity, kInfinity};
  if (node.has("unit")) bound.unit = node.member("unit").position();
  if (node.has("source")) bound.source = node.member("source").position();
  read_interval(node, bound.lower, bound.upper);
  return bound;
}

Monotone monotone_from(const JsonCursor& node) {
  node.expect_members({"input", "target", "direction"});
  const JsonCursor direction = node.member("direction");
  const std::string text = direction.text();
  if (text != "increasing" && text != "decreasing") direction.expected("increasing or decreasing");
  return {node.member("input").text(), node.member("target").text(), text == "increasing"};
}

Curvature curvature_from(const JsonCursor& node) {
  node.expect_members({"input", "target", "shape"});
  const JsonCursor bend = node.member("shape");
  const std::string text = bend.text();
  if (text != "convex" && text != "concave") bend.expected("convex or concave");
  return {node.member("input").text(), node.member("target").text(), text == "convex"};
}

NormBound norm_from(const JsonCursor& node) {
  node.expect_members({"layer", "norm", "at_most"});
  const JsonCursor norm = node.member("norm");
  const std::string name = norm.text();
  NormBound bound;
  bound.layer = node.member("layer").position();
  if (name == "frobenius") {
    bound.norm = WeightTerm::Kind::frobenius_ball;
  } else if (name == "rows") {
    bound.norm = WeightTerm::Kind::row_ball;
  } else if (name == "spectral") {
    bound.norm = WeightTerm::Kind::spectral_ball;
  } else {
    norm.expected("frobenius, rows or spectral");
  }
  bound.at_most = node.member("at_most").number();
  if (bound.at_most < 0) node.member("at_most").expected("a number >= 0");
  return bound;
}

/// The bounds that a member `name` sets: one number, or one for each point from the column of that name.
Vector bound_values(const JsonCursor& node, const char* name, const Table& points, double none) {
  if (!node.has(name)) return Vector::Constant(1, none);
  const JsonCursor value = node.member(name);
  if (!value.is_text()) return Vector::Constant(1, value.number());
  const std::string column = value.text();
  if (std::find(points.columns.begin(), points.columns.end(), column) == points.columns.end()) {
    value.expected("a number, or the name of a column of the points");
  }
  return select_columns(points, {column}).row(0).transpose();
}

OutputBound::Part output_part_from(const JsonCursor& node) {
  node.expect_members({"target", "factor"});
  OutputBound::Part part{node.member("target").text(), 1};
  if (node.has("factor")) part.factor = node.member("factor").number();
  if (part.factor == 0) node.member("factor").expected("a number other than 0");
  return part;
}

OutputBound output_bound_from(const JsonCursor& node, const std::string& source) {
  node.expect_members({"target", "sum", "points", "lower", "upper"});
  OutputBound bound;
  if (node.has("target") == node.has("sum")) node.expected("target or sum, one of them");
  if (node.has("target")) {
    bound.parts = {{node.member("target").text(), 1}};
  } else {
    bound.is_sum = true;
    for (const JsonCursor& part : node.member("sum").elements()) bound.parts.push_back(output_part_from(part));
    if (bound.parts.empty()) node.member("sum").expected("at least one target");
  }
  if (node.has("points")) {
    const std::filesystem::path file = node.member("points").text();
    bound.points = read_csv((std::filesystem::path(source).parent_path() / file).string());
  }
  if (!node.has("lower") && !node.has("upper")) node.expected("lower, upper or both");
  bound.lower = bound_values(node, "lower", bound.points, -kInfinity);
  bound.upper = bound_values(node, "upper", bound.points, kInfinity);
  return bound;
}

HiddenBound hidden_bound_from(const JsonCursor& node) {
  node.expect_members({"layer", "at_most"});
  HiddenBound bound;
  if (node.has("layer")) bound.layer = node.member("layer").position();
  bound.at_most = node.member("at_most").number();
  if (!(bound.at_most > 0)) node.member("at_most").expected("a number > 0");
  return bound;
}

LinearBound linear_bound_from(const JsonCursor& node) {
  node.expect_members({"layer", "sum", "lower", "upper", "value"});
  LinearBound bound{node.member("layer").position(), {}, -kInfinity, kInfinity};
  for (const JsonCursor& part : node.member("sum").elements()) {
    part.expect_members({"unit", "source", "factor"});
    bound.parts.push_back({part.member("unit").position(), part.member("source").position(), 1});
    if (part.has("factor")) bound.parts.back().factor = part.member("factor").number();
    if (bound.parts.back().factor == 0) part.member("factor").expected("a number other than 0");
  }
  if (bound.parts.empty()) node.member("sum").expected("at least one weight");
  read_interval(node, bound.lower, bound.upper);
  return bound;
}

}  // namespace

Constraints load_constraints(const std::string& path) { return parse_constraints(read_file(path), path); }

Constraints parse_constraints(const std::string& text, const std::string& source) {
  const JsonValue file = detail::parse_json(text, source);
  const JsonCursor root(source, file);
  root.expect_members(
      {"weights", "linear", "monotone", "curvature", "norms", "lipschitz", "convex", "outputs", "hidden"});
  Constraints constraints;
  if (root.has("weights")) {
    for (const JsonCursor& node : root.member("weights").elements())
      constraints.weights.push_back(weight_bound_from(node));
  }
  if (root.has("linear")) {
    for (const JsonCursor& node : root.member("linear").elements())
      constraints.linear.push_back(linear_bound_from(node));
  }
  if (root.has("monotone")) {
    for (const JsonCursor& node : root.member("monotone").elements())
      constraints.monotone.push_back(monotone_from(node));
  }
  if (root.has("curvature")) {
    for (const JsonCursor& node : root.member("curvature").elements())
      constraints.curvature.push_back(curvature_from(node));
  }
  if (root.has("norms")) {
    for (const JsonCursor& node : root.member("norms").elements()) constraints.norms.push_back(norm_from(node));
  }
  if (root.has("lipschitz")) {
    constraints.lipschitz = root.member("lipschitz").number();
    if (!(*constraints.lipschitz > 0)) root.member("lipschitz").expected("a number > 0");
  }
  if (root.has("convex")) constraints.convex = root.member("convex").truth();
  if (root.has("outputs")) {
    for (const JsonCursor& node : root.member("outputs").elements())
      constraints.outputs.push_back(output_bound_from(node, source));
  }
  if (root.has("hidden")) {
    for (const JsonCursor& node : root.member("hidden").elements())
      constraints.hidden.push_back(hidden_bound_from(node));
  }
  if (constraints.empty()) throw std::invalid_argument(fmt::format("{}: no constraint in it", source));
  return constraints;
}

}  // namespace relufit
