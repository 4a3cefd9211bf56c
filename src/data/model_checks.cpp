#include "data/model_checks.h"

#include <fmt/format.h>

#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "files/text.h"

namespace relufit {

using detail::shown;

namespace {

std::string finite_problem(const std::string& path, const Vector& values) {
  for (Index i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values(i))) return fmt::format("{}[{}]: {}, expected a finite number", path, i, values(i));
  }
  return {};
}

}  // namespace

std::string names_problem(const std::string& path, const std::vector<std::string>& names) {
  if (names.empty()) return path + ": no names, expected at least 1";
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) return fmt::format("{}[{}]: empty, expected a name", path, i);
    if (!detail::is_valid_utf8(names[i])) return fmt::format("{}[{}]: {} is not UTF-8 text", path, i, shown(names[i]));
    if (!seen.insert(names[i]).second) {
      return fmt::format("{}[{}]: {} is repeated, expected different names", path, i, shown(names[i]));
    }
  }
  return {};
}

std::string scaling_problem(const std::string& path, const Scaling& scaling, std::size_t size, bool offset_is_zero) {
  const std::pair<const char*, const Vector*> parts[] = {{".offset", &scaling.offset}, {".scale", &scaling.scale}};
  for (const auto& [name, values] : parts) {
    if (values->size() != static_cast<Index>(size)) {
      return fmt::format("{}{}: {} values, expected {}", path, name, values->size(), size);
    }
    std::string problem = finite_problem(path + name, *values);
    if (!problem.empty()) return problem;
  }
  for (Index i = 0; i < scaling.scale.size(); ++i) {
    if (!(scaling.scale(i) > 0)) return fmt::format("{}.scale[{}]: {}, expected above 0", path, i, scaling.scale(i));
    if (offset_is_zero && scaling.offset(i) != 0) {
      return fmt::format("{}.offset[{}]: {}, expected 0 with ReLU outputs", path, i, scaling.offset(i));
    }
  }
  return {};
}

std::string classification_problem(const Classification& classification, std::size_t outputs,
                                   OutputActivation activation) {
  if (classification.label.empty()) return "classification.label: empty, expected a name";
  if (!detail::is_valid_utf8(classification.label)) return "classification.label: not UTF-8 text";
  std::string problem = names_problem("classification.classes", classification.classes);
  if (!problem.empty()) return problem;
  const std::size_t classes = classification.classes.size();
  if (classes < 2) return fmt::format("classification.classes: {}, expected at least 2", classes);
  if (classification.link == Link::logistic && classes != 2) {
    return fmt::format("classification.classes: {}, expected 2 with the logistic link", classes);
  }
  if (static_cast<Index>(outputs) != classification.output_count()) {
    return fmt::format("classification: {} outputs, expected {} for {} classes with the link {}", outputs,
                       classification.output_count(), classes, to_string(classification.link));
  }
  if (activation != OutputActivation::linear) return "classification: with ReLU outputs, expected linear ones";
  return {};
}

std::string categories_problem(const std::vector<Category>& categories, const std::vector<std::string>& input_names) {
  if (categories.empty()) return {};
  std::set<std::string> inputs(input_names.begin(), input_names.end());
  std::vector<std::string> columns;
  for (const Category& category : categories) columns.push_back(category.column);
  std::string problem = names_problem("categories.column", columns);
  for (std::size_t i = 0; i < categories.size() && problem.empty(); ++i) {
    const std::string path = fmt::format("categories[{}]", i);
    problem = names_problem(path + ".levels", categories[i].levels);
    if (problem.empty() && categories[i].levels.size() < 2) problem = path + ".levels: 1, expected at least 2";
    if (problem.empty() && inputs.count(columns[i]) > 0) {
      problem = fmt::format("{}.column: {} is an input itself, expected those of its levels", path, shown(columns[i]));
    }
    for (const std::string& name : level_names(categories[i])) {
      if (!problem.empty()) break;
      // Taken out, so that two categories do not share an input.
      if (inputs.erase(name) == 0) problem = fmt::format("{}: no input {} for a level", path, shown(name));
    }
  }
  return problem;
}

}  // namespace relufit
