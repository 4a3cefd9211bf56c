#include <nanobind/stl/optional.h>

#include <optional>

#include "arrays.h"
#include "bindings.h"
#include "interruptible.h"
#include "relufit/constraints.h"
#include "relufit/teacher.h"
#include "relufit/train.h"

namespace relufit::python {

namespace {

using namespace nanobind::literals;

Method method_from(const std::string& name) {
  for (const Method method : {Method::relaxation, Method::search, Method::fixed_output}) {
    if (name == to_string(method)) return method;
  }
  throw std::invalid_argument(fmt::format("method: '{}', expected 'relaxation', 'search' or 'fixed-output'", name));
}

nb::object init_of(const TrainOptions& options) {
  if (options.initialization == Initialization::network) return nb::cast(*options.start);
  return nb::str(options.initialization == Initialization::zero ? "zero" : "random");
}

void set_init(TrainOptions& options, nb::handle value) {
  options.start.reset();
  if (nb::isinstance<Model>(value)) {
    options.initialization = Initialization::network;
    options.start = nb::cast<Model>(value);
    return;
  }
  const std::string name = nb::str(value).c_str();
  if (name != "zero" && name != "random") {
    throw std::invalid_argument(fmt::format("init: '{}', expected 'random', 'zero' or a Model", name));
  }
  options.initialization = name == "zero" ? Initialization::zero : Initialization::random;
}

Dataset dataset_from(nb::handle inputs, nb::handle targets, const std::vector<std::string>& input_names,
                     const std::vector<std::string>& target_names, nb::handle sample_weight,
                     const std::optional<Classification>& classification) {
  Dataset data{samples_from(inputs, "inputs"), {}, input_names, target_names};
  if (classification) {
    data.classification = *classification;
    data.targets = class_targets(*classification, nb::cast<std::vector<Index>>(targets));
    data.target_names = output_names(*classification);
  } else {
    data.targets = samples_from(targets, "targets");
  }
  if (!sample_weight.is_none()) data.sample_weights = vector_from(sample_weight, "sample_weight");
  return data;
}

/// With a classification, `targets` are the positions of the classes.
TrainResult run_training(nb::handle inputs, nb::handle targets, const std::vector<std::string>& input_names,
                         const std::vector<std::string>& target_names, const TrainOptions& given, nb::object callback,
                         nb::handle sample_weight, const std::optional<Classification>& classification) {
  const Dataset data = dataset_from(inputs, targets, input_names, target_names, sample_weight, classification);
  TrainOptions options = given;
  Interruptible computation;
  options.sequence.subproblem.should_stop = [&] { return computation.should_stop(); };
  const auto observe = [&](const TrainProgress& progress) {
    if (callback.is_none()) return !computation.should_stop();
    return computation.ask([&] {
      const nb::object answer = callback(nb::cast(progress, nb::rv_policy::copy));
      return answer.is_none() || nb::cast<bool>(nb::bool_(answer));
    });
  };
  TrainResult result;
  computation.run([&] { result = train(data, options, observe); });
  return result;
}

void bind_options(nb::module_& module) {
  nb::class_<TrainOptions> options(module, "TrainOptions", "Options of training: see relufit.train.");
  const auto field = [&](const char* name, auto get) {
    using Value = std::remove_reference_t<decltype(get(std::declval<TrainOptions&>()))>;
    options.def_prop_rw(
        name, [get](TrainOptions& o) { return Value(get(o)); },
        [get](TrainOptions& o, Value value) { get(o) = value; });
  };
  options.def_prop_rw(
      "method", [](const TrainOptions& o) { return to_string(o.method); },
      [](TrainOptions& o, const std::string& name) { o.method = method_from(name); });
  options.def_prop_rw(
      "output_activation", [](const TrainOptions& o) { return to_string(o.output); },
      [](TrainOptions& o, const std::string& name) { o.output = output_activation_from(name); });
  options.def_prop_rw("init", &init_of, &set_init);
  options.def_prop_rw(
      "output_weights", [](const TrainOptions& o) { return to_matrix(o.output_weights); },
      [](TrainOptions& o, nb::handle weights) { o.output_weights = matrix_from(weights, "fixed_output"); },
      nb::for_setter(nb::sig("def output_weights(self, weights: numpy.typing.ArrayLike, /) -> None")));
  options.def_rw("constraints", &TrainOptions::constraints);
  options.def_prop_ro("loss", [](const TrainOptions& o) { return to_string(o.loss); });
  options.def_ro("hidden", &TrainOptions::hidden);
  field("ridge", [](TrainOptions& o) -> double& { return o.ridge; });
  field("bias", [](TrainOptions& o) -> bool& { return o.bias; });
  field("skip_connections", [](TrainOptions& o) -> bool& { return o.skip_connections; });
  field("lasso", [](TrainOptions& o) -> double& { return o.lasso; });
  field("group_lasso", [](TrainOptions& o) -> double& { return o.group_lasso; });
  field("nuclear", [](TrainOptions& o) -> double& { return o.nuclear; });
  field("weight_grid", [](TrainOptions& o) -> double& { return o.weight_grid; });
  field("random_scale", [](TrainOptions& o) -> double& { return o.random_scale; });
  field("seed", [](TrainOptions& o) -> unsigned& { return o.seed; });
  field("starts", [](TrainOptions& o) -> Index& { return o.starts; });
  field("threads", [](TrainOptions& o) -> int& { return o.threads; });
  field("polish", [](TrainOptions& o) -> bool& { return o.polish; });
  field("candidates", [](TrainOptions& o) -> Index& { return o.candidates; });
  field("candidate_iterations", [](TrainOptions& o) -> Index& { return o.candidate_iterations; });
  field("search_runs", [](TrainOptions& o) -> Index& { return o.search_runs; });
  field("fixed_output_iterations", [](TrainOptions& o) -> Index& { return o.fixed_output_iterations; });
  field("fit_tolerance", [](TrainOptions& o) -> double& { return o.fit_tolerance; });
  field("max_iterations", [](TrainOptions& o) -> Index& { return o.sequence.max_iterations; });
  field("tolerance", [](TrainOptions& o) -> double& { return o.sequence.tolerance; });
  field("stall_window", [](TrainOptions& o) -> Index& { return o.sequence.stall_window; });
  field("record_interval", [](TrainOptions& o) -> Index& { return o.sequence.record_interval; });
  field("time_limit", [](TrainOptions& o) -> double& { return o.sequence.time_limit; });
  field("lambda_relu", [](TrainOptions& o) -> double& { return o.sequence.weights.complementarity; });
  field("lambda_product", [](TrainOptions& o) -> double& { return o.sequence.weights.product; });
  field("relu_scale", [](TrainOptions& o) -> double& { return o.sequence.scales.relu; });
  field("left_scale", [](TrainOptions& o) -> double& { return o.sequence.scales.product_left; });
  field("right_scale", [](TrainOptions& o) -> double& { return o.sequence.scales.product_right; });
  options.def(
      "set_strategy",
      [](TrainOptions& o, const std::string& name, std::optional<Index> inner_iterations) {
        const Strategy strategy = strategy_from(name);
        set_strategy(o.sequence, strategy, inner_iterations.value_or(default_inner_iterations(strategy)));
      },
      "name"_a, "inner_iterations"_a = nb::none(),
      "The strategy of the relaxation and its inner iterations, by default those that suit it.");
  module.def(
      "default_train_options",
      [](std::vector<Index> hidden, const std::string& loss, double loss_parameter, const std::string& activation,
         std::optional<double> activation_parameter) {
        return default_train_options(std::move(hidden), loss_from(loss, loss_parameter),
                                     activation_from(activation, activation_parameter));
      },
      "hidden"_a, "loss"_a, "loss_parameter"_a = 0.0, "activation"_a = "relu", "activation_parameter"_a = nb::none(),
      "The defaults of the library for these hidden layers, this loss and this activation.");
}

}  // namespace

void bind_training(nb::module_& module) {
  bind_options(module);
  module.def("train", &run_training, "inputs"_a, "targets"_a, "input_names"_a, "target_names"_a, "options"_a,
             "callback"_a = nb::none(), "sample_weight"_a = nb::none(), "classification"_a = nb::none(),
             "See relufit.train. With a Classification, targets are positions of classes, all of them valid.");
  module.def(
      "make_teacher",
      [](const std::vector<Index>& widths, const std::string& output_activation, Index samples,
         unsigned long long seed) {
        Teacher teacher = make_teacher(widths, output_activation_from(output_activation), samples, seed);
        Model model;
        model.network = teacher.network;
        model.input_scaling = Scaling::identity(widths.front());
        model.target_scaling = Scaling::identity(widths.back());
        for (Index i = 0; i < widths.front(); ++i) model.input_names.push_back(fmt::format("x{}", i));
        for (Index i = 0; i < widths.back(); ++i) model.target_names.push_back(fmt::format("y{}", i));
        return nb::make_tuple(std::move(model), to_samples(std::move(teacher.inputs)),
                              to_samples(std::move(teacher.targets)));
      },
      "widths"_a, "output_activation"_a = "linear", "samples"_a = 30, "seed"_a = 0,
      nb::sig("def make_teacher(widths: Sequence[int], output_activation: str = 'linear', samples: int = 30, "
              "seed: int = 0) -> tuple[Model, numpy.ndarray, numpy.ndarray]"),
      "A random network with weights 0.5 randn and biases 0.1 randn, normal inputs, and its outputs for them:\n"
      "(model, inputs, targets). The same seed gives the same problem on every platform.");
}

}  // namespace relufit::python
