#include "train/plan/identity.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "network/layer_state.h"
#include "relufit/version.h"

namespace relufit {

// What only a hash of it is kept of. Found by the visitor where the types are, not among names without linkage.

inline void visit_state(StateVisitor& visitor, WeightBound& bound) {
  visitor(bound.layer, bound.unit, bound.source, bound.lower, bound.upper);
}
inline void visit_state(StateVisitor& visitor, Monotone& m) { visitor(m.input, m.target, m.increasing); }
inline void visit_state(StateVisitor& visitor, Curvature& c) { visitor(c.input, c.target, c.convex); }
inline void visit_state(StateVisitor& visitor, NormBound& bound) { visitor(bound.layer, bound.norm, bound.at_most); }
inline void visit_state(StateVisitor& visitor, LinearBound::Part& part) {
  visitor(part.unit, part.source, part.factor);
}
inline void visit_state(StateVisitor& visitor, LinearBound& bound) {
  visitor(bound.layer, bound.parts, bound.lower, bound.upper);
}
inline void visit_state(StateVisitor& visitor, OutputBound::Part& part) { visitor(part.target, part.factor); }
inline void visit_state(StateVisitor& visitor, OutputBound& bound) {
  visitor(bound.parts, bound.lower, bound.upper, bound.points.columns, bound.points.values, bound.is_sum);
}
inline void visit_state(StateVisitor& visitor, HiddenBound& bound) { visitor(bound.layer, bound.at_most); }
inline void visit_state(StateVisitor& visitor, Constraints& c) {
  visitor(c.weights, c.linear, c.monotone, c.curvature, c.norms, c.lipschitz, c.convex, c.outputs, c.hidden);
}

namespace {

template <class... Parts>
std::string hashed(Parts... parts) {
  return fmt::format("#{:016x}", hash_of(saved_state(parts...)));
}

/// Of the chunks' hashes, those of all ranks where the columns are samples that they share.
std::string hashed_samples(const Matrix& matrix, const Chunks& chunks) {
  Index rows = matrix.rows();
  std::string hashes;
  for (Index i = 0; i < chunks.count(); ++i) {
    const Range mine = chunks[i];
    const std::string_view values(reinterpret_cast<const char*>(matrix.data() + mine.begin * rows),
                                  static_cast<std::size_t>(mine.size * rows) * sizeof(double));
    hashes += fmt::format("{:x} ", hash_of(values));
  }
  std::string all = saved_state(rows);
  for (const std::string& some : gathered_bytes(chunks.ranks(), hashes)) all += some;
  return fmt::format("#{:016x}", hash_of(all));
}

std::string hashed(const Matrix& matrix) { return hashed_samples(matrix, Chunks(matrix.cols())); }

std::string text(bool value) { return value ? "yes" : "no"; }
std::string text(Method method) { return to_string(method); }
std::string text(Strategy strategy) { return to_string(strategy); }
template <class Number>
std::string text(Number value) {
  return fmt::format("{}", value);
}
template <class Value>
std::string text(const std::optional<Value>& value) {
  return value ? text(*value) : "auto";
}

/// A name and the parameter it may have.
template <class Named>
std::string text_of(const Named& named) {
  return has_parameter(named) ? fmt::format("{} {}", to_string(named), named.parameter) : to_string(named);
}

std::string text_of(const Start& start) {
  if (std::holds_alternative<RandomStart>(start)) return "random";
  if (std::holds_alternative<ZeroStart>(start)) return "zero";
  return hashed(std::get<Model>(start).folded().layers());
}

std::string units_of(const TrainOptions& options) {
  if (options.automatic_width) return "auto";
  return options.hidden.empty() ? "none" : fmt::format("{}", fmt::join(options.hidden, " "));
}

void add(Checkpoint::Identity& identity, const Dataset& data, const std::string& kind) {
  const auto add = [&](const char* name, std::string value) { identity.push_back({kind + name, std::move(value)}); };
  const Chunks chunks = Chunks::of(data);
  add("samples", text(data.total_samples()));
  add("input names", fmt::format("{}", fmt::join(data.input_names, ", ")));
  add("target names", fmt::format("{}", fmt::join(data.target_names, ", ")));
  add("inputs", hashed_samples(data.inputs, chunks));
  add("targets", hashed_samples(data.targets, chunks));
  add("sample weights",
      data.sample_weights.size() == 0 ? "none" : hashed_samples(data.sample_weights.transpose(), chunks));
  add("classes", data.classification.empty()
                     ? "none"
                     : hashed(data.classification.label, data.classification.classes, data.classification.link));
}

}  // namespace

Checkpoint::Identity identity_of(const Dataset& data, const TrainOptions& o) {
  Checkpoint::Identity identity = {
      {"relufit", version},
      {"hidden", units_of(o)},
      {"activation", text_of(o.activation)},
      {"output_activation", to_string(o.output_activation)},
      {"bias", text(o.bias)},
      {"skip_connections", text(o.skip_connections)},
      {"loss", text_of(o.loss)},
      {"ridge", text(o.ridge)},
      {"folds", text(o.folds)},
      {"lasso", text(o.lasso)},
      {"group_lasso", text(o.group_lasso)},
      {"nuclear", text(o.nuclear)},
      {"constraints", o.constraints.empty() ? "none" : hashed(o.constraints)},
      {"fixed_output", o.fixed_output.size() == 0 ? "none" : hashed(o.fixed_output)},
      {"weight_grid", text(o.weight_grid)},
      {"method", text(o.method)},
      {"init", text_of(o.init)},
      {"random_scale", text(o.random_scale)},
      {"polish", text(o.polish)},
      {"strategy", text(o.strategy)},
      {"inner_iterations", text(o.inner_iterations)},
      {"lambda_pair", text(o.lambda_pair)},
      {"lambda_product", text(o.lambda_product)},
      {"pair_scale", text(o.pair_scale)},
      {"left_scale", text(o.left_scale)},
      {"right_scale", text(o.right_scale)},
      {"penalty_pair", text(o.penalty_pair)},
      {"penalty_product", text(o.penalty_product)},
      {"penalty_output", text(o.penalty_output)},
      {"over_relaxation", text(o.over_relaxation)},
      {"candidates", text(o.candidates)},
      {"candidate_iterations", text(o.candidate_iterations)},
      {"seed", text(o.seed)},
      {"starts", text(o.starts)},
      {"iterations", text(o.iterations)},
      {"tolerance", text(o.tolerance)},
      {"stall_window", text(o.stall_window)},
      {"record_interval", text(o.record_interval)},
  };
  add(identity, data, "");
  identity.push_back({"validation samples", o.validation ? "given" : "none"});
  if (o.validation) add(identity, *o.validation, "validation ");
  return identity;
}

}  // namespace relufit
