// From a data set and the options of training to a lifted problem on scaled data, and the points to start from.

#include "train/plan/problem.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/infinity.h"
#include "constraints/class_outputs.h"
#include "problem/sample_sums.h"

namespace relufit {

namespace {

/// On all layers but the output's, whose rows are targets and not units, for the group lasso.
void add_regularizers(const Dataset& data, const TrainOptions& options, LiftedProblem& problem) {
  const auto layers = static_cast<Index>(problem.network.widths.size()) - 1;
  const double values = loss_terms(options.loss, data.total_samples(), data.targets.rows());
  for (Index l = 1; l <= layers; ++l) {
    const auto add = [&](WeightTerm::Kind kind, double size) {
      if (size > 0) problem.weight_terms.push_back({kind, l, size * values, {}, {}});
    };
    add(WeightTerm::Kind::lasso, options.lasso);
    if (l < layers) add(WeightTerm::Kind::group_lasso, options.group_lasso);
    add(WeightTerm::Kind::nuclear, options.nuclear);
  }
}

/// Points with bounds become samples of weight 0.
void add_output_bounds(const Dataset& data, const Constraints& constraints, const NamedNetwork& shape,
                       ScaledProblem& scaled) {
  if (constraints.outputs.empty()) return;
  BoundedPoints points = bounded_points(constraints, shape, data.inputs);
  LiftedProblem& problem = scaled.problem;
  if (problem.network.output == OutputActivation::relu) {
    if ((points.upper.array() < 0).any()) {
      throw std::invalid_argument("outputs: an upper bound below 0, a ReLU output cannot keep it");
    }
    if (!points.terms.empty()) {
      throw std::invalid_argument("outputs: a sum of outputs with ReLU outputs, expected linear ones");
    }
    points.lower = (points.lower.array() <= 0).select(-kInfinity, points.lower);  // max(0, Z) keeps it by itself
  }
  if (points.lower.size() > 0) {
    problem.output_lower = scaled.target_scaling.apply(points.lower);
    problem.output_upper = scaled.target_scaling.apply(points.upper);
  }
  for (const OutputTerm& term : points.terms) {
    // c'(offset + scale o z) between the bounds; its coefficients get the norm 1.
    const double shift = term.coefficients.dot(scaled.target_scaling.offset);
    const Vector coefficients = term.coefficients.cwiseProduct(scaled.target_scaling.scale);
    const double size = coefficients.norm();
    problem.output_terms.push_back(
        {coefficients / size, (term.lower.array() - shift) / size, (term.upper.array() - shift) / size});
  }
  const Index samples = data.samples();
  const Index added = points.inputs.cols() - samples;
  if (added == 0) return;
  problem.inputs = scaled.input_scaling.apply(points.inputs);
  problem.targets.conservativeResize(Eigen::NoChange, samples + added);
  problem.targets.rightCols(added).setZero();  // a target of every loss but one; it does not count
  if (problem.loss == Loss::cross_entropy) problem.targets.bottomRightCorner(1, added).setOnes();
  if (problem.sample_weights.size() == 0) problem.sample_weights.setOnes(samples);
  problem.sample_weights.conservativeResize(samples + added);
  problem.sample_weights.tail(added).setZero();
}

}  // namespace

void check_suits(const Dataset& data, const TrainOptions& options) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  const Matrix& weights = options.fixed_output;
  if (has_fixed_output(options) && data.targets.rows() != 1) {
    fail(fmt::format("targets: {}, given output weights expect 1", data.targets.rows()));
  }
  if (has_fixed_output(options) && (weights.rows() != 1 || weights.cols() != options.hidden.back())) {
    fail(fmt::format("fixed_output: {} x {}, expected {} x {} (targets x units of the last hidden layer)",
                     weights.rows(), weights.cols(), data.targets.rows(), options.hidden.back()));
  }
  const Model* start = std::get_if<Model>(&options.init);
  const bool have_texts = start != nullptr && !start->categories.empty() && !data.categories.empty();
  if (have_texts && start->categories != data.categories) {
    fail("init: a model of other texts in its columns of text, expected those of the data");
  }
  if (data.classification.empty()) return;
  const Loss& loss = options.loss;
  if (!is_for_classes(loss) || link_of(loss) != data.classification.link) {
    fail(fmt::format("loss: {}, expected that of the classes' targets (link {})", to_string(loss),
                     to_string(data.classification.link)));
  }
  if (data.targets.rows() != data.classification.output_count()) {
    fail(fmt::format("targets: {} rows, expected {} for the {} classes", data.targets.rows(),
                     data.classification.output_count(), data.classification.class_count()));
  }
}

std::vector<Layer> scaled_layers(const Model& model, const ScaledProblem& scaled) {
  std::vector<Layer> layers = model.folded().layers();
  for (std::size_t l = 0; l < layers.size() && (l == 0 || model.network.skip_connections()); ++l) {
    auto of_inputs = layers[l].weights.rightCols(model.network.input_size());
    layers[l].bias += of_inputs * scaled.input_scaling.offset;
    of_inputs = (of_inputs * scaled.input_scaling.scale.asDiagonal()).eval();
  }
  Layer& last = layers.back();
  const auto inverse = scaled.target_scaling.scale.cwiseInverse().asDiagonal();
  last.bias = inverse * (last.bias - scaled.target_scaling.offset);
  last.weights = inverse * last.weights;
  return layers;
}

void check_validation(const Dataset& data, const TrainOptions& options) {
  if (!options.validation) return;
  const auto fail = [](const std::string& message) { throw std::invalid_argument("validation: " + message); };
  const Dataset& held_out = *options.validation;
  if (held_out.samples() < 1) fail("no samples, expected at least 1");
  if (held_out.input_names != data.input_names || held_out.inputs.rows() != data.inputs.rows()) {
    fail(fmt::format("the inputs {}, expected {}", fmt::join(held_out.input_names, ", "),
                     fmt::join(data.input_names, ", ")));
  }
  if (held_out.target_names != data.target_names || held_out.targets.rows() != data.targets.rows()) {
    fail(fmt::format("the targets {}, expected {}", fmt::join(held_out.target_names, ", "),
                     fmt::join(data.target_names, ", ")));
  }
  if (held_out.targets.cols() != held_out.samples()) {
    fail(fmt::format("{} samples of targets, expected {}", held_out.targets.cols(), held_out.samples()));
  }
  if (!held_out.inputs.allFinite() || !held_out.targets.allFinite()) fail("expected finite numbers");
  try {
    check_targets(options.loss, held_out.targets);
    check_sample_weights(options.loss, held_out.sample_weights, held_out.samples());
  } catch (const std::invalid_argument& error) {
    fail(error.what());
  }
}

LiftedProblem validation_problem(const ScaledProblem& scaled, const Dataset& validation) {
  LiftedProblem problem = with_samples(scaled.problem, scaled.input_scaling.apply(validation.inputs),
                                       scaled.target_scaling.apply(validation.targets), validation.sample_weights);
  problem.ridge = 0;
  problem.weight_terms.clear();
  return problem;
}

unsigned long long start_seed(unsigned seed, Index start) {
  return seed * 0x9E3779B97F4A7C15ULL + static_cast<unsigned long long>(start);
}

ScaledProblem scaled_problem(const Dataset& data, const TrainOptions& options) {
  ScaledProblem scaled;
  const Constraints& constraints = options.constraints;
  // An offset needs a bias that takes it up.
  const bool output_bias =
      options.bias && !has_fixed_output(options) && options.output_activation == OutputActivation::linear;
  const auto scaling_of = [&](const Matrix& values, bool center) {
    return center ? Scaling::standardize(values, data.share) : Scaling::normalize(values, data.share);
  };
  scaled.input_scaling = scaling_of(data.inputs, options.bias);
  scaled.target_scaling = scaling_of(data.targets, output_bias);
  if (is_for_classes(options.loss)) scaled.target_scaling = Scaling::identity(data.targets.rows());
  // One delta for all targets supposes one unit.
  if (options.loss.kind == Loss::Kind::huber) scaled.target_scaling = scaled.target_scaling.uniform();
  if (constraints.needs_uniform_scaling()) {
    scaled.input_scaling = scaled.input_scaling.uniform();
    scaled.target_scaling = scaled.target_scaling.uniform();
    // Norms of weights of hidden units and of inputs together are those of raw weights only in raw units.
    if (options.skip_connections) scaled.input_scaling.scale.setOnes();
  }
  LiftedProblem& problem = scaled.problem;
  problem.inputs = scaled.input_scaling.apply(data.inputs);
  problem.targets = scaled.target_scaling.apply(data.targets);
  problem.network = architecture_of(options, data);
  problem.loss = options.loss;
  if (options.loss.kind == Loss::Kind::huber) problem.loss.parameter /= scaled.target_scaling.scale(0);
  problem.sample_weights = data.sample_weights;
  problem.share = data.share;
  problem.bias = options.bias;
  problem.ridge =
      plan(options).ridge.value_or(kUsualRidge) * loss_terms(options.loss, data.total_samples(), data.targets.rows());
  const NamedNetwork shape{problem.network, data.input_names, data.target_names,
                           meaning_of(data.classification, options.loss, data.target_names)};
  problem.weight_terms = scaled_weight_terms(constraints, shape, scaled.input_scaling, scaled.target_scaling);
  add_regularizers(data, options, problem);
  add_output_bounds(data, constraints, shape, scaled);
  return scaled;
}

Architecture architecture_of(const TrainOptions& options, const Dataset& data) {
  Architecture network{{data.inputs.rows()}, options.output_activation, options.activation, options.skip_connections};
  network.widths.insert(network.widths.end(), options.hidden.begin(), options.hidden.end());
  network.widths.push_back(data.targets.rows());
  return network;
}

Index parameter_count(const Architecture& network, bool bias) {
  Index count = 0;
  for (const LayerShape& layer : network.layers()) count += layer.rows * (layer.columns + (bias ? 1 : 0));
  return count;
}

double loss_terms(const Loss& loss, Index samples, Index outputs) {
  return static_cast<double>(loss == Loss::cross_entropy ? samples : samples * outputs);
}

SequenceOptions relaxation_for(const LiftedProblem& problem, const TrainPlan& plan) {
  SequenceOptions sequence = plan.relaxation;
  // The largest slope of the loss of an output for scaled targets, where it is below 1.
  const double slope = problem.loss.kind == Loss::Kind::huber ? std::min(1.0, problem.loss.parameter) : 1.0;
  for (double* value : {&sequence.weights.pair, &sequence.weights.product, &sequence.penalties.pair,
                        &sequence.penalties.product, &sequence.penalties.output}) {
    *value *= slope;
  }
  return sequence;
}

namespace {

/// Minus the values of the model's network on the data.
RelaxationParameters parameters_of(const Model& model, const ScaledProblem& scaled) {
  const LiftedProblem& problem = scaled.problem;
  if (model.network.widths() != problem.network.widths) {
    throw std::invalid_argument(fmt::format("init: the model's layers are {}, expected {}",
                                            fmt::join(model.network.widths(), "-"),
                                            fmt::join(problem.network.widths, "-")));
  }
  if (model.network.skip_connections() != problem.network.skip_connections) {
    throw std::invalid_argument(problem.network.skip_connections
                                    ? "init: the model has no skip connections, expected them"
                                    : "init: the model has skip connections, expected none");
  }
  if (model.network.activation() != problem.network.activation) {
    throw std::invalid_argument(fmt::format("init: the model's activation is {}, expected {} with the same parameter",
                                            to_string(model.network.activation()),
                                            to_string(problem.network.activation)));
  }
  return parameters_at(lift_network(problem, scaled_layers(model, scaled)));
}

}  // namespace

RelaxationParameters start_parameters(const ScaledProblem& scaled, const TrainOptions& options, Index start) {
  const TrainPlan planned = plan(options);
  const LiftedProblem& problem = scaled.problem;
  const auto parameters = [&] {
    if (const Model* model = std::get_if<Model>(&options.init)) return parameters_of(*model, scaled);
    if (std::holds_alternative<ZeroStart>(options.init)) return parameters_at(zero_point(problem));
    return random_parameters(problem, planned.random_scale, start_seed(options.seed, start));
  };
  return with_scales(parameters(), planned.relaxation.scales);
}

}  // namespace relufit
