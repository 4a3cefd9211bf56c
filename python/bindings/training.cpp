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

/// The losses that train() knows.
Loss trained_loss(const std::string& name) {
  for (const Loss& loss : {Loss::exact, Loss::squared}) {
    if (name == to_string(loss)) return loss;
  }
  throw std::invalid_argument(fmt::format("loss: '{}', expected 'exact' or 'squared'", name));
}

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

/// Records as NumPy arrays, one per column: what the program writes as a trace.
nb::dict trace_of(const std::vector<SequenceRecord>& records) {
  nb::dict trace;
  const auto column = [&](const char* name, auto value) {
    using Value = decltype(value(records.front()));
    auto data = std::make_unique<std::vector<Value>>();
    for (const SequenceRecord& record : records) data->push_back(value(record));
    const std::size_t size = data->size();
    Value* values = data->data();
    const nb::capsule owner(data.release(), [](void* p) noexcept { delete static_cast<std::vector<Value>*>(p); });
    trace[name] = nb::ndarray<nb::numpy, Value>(values, {size}, owner);
  };
  column("iteration", [](const SequenceRecord& r) { return r.iteration; });
  column("objective", [](const SequenceRecord& r) { return r.objective; });
  column("merit", [](const SequenceRecord& r) { return r.merit; });
  column("loss", [](const SequenceRecord& r) { return r.loss; });
  column("complementarity", [](const SequenceRecord& r) { return r.complementarity; });
  column("product", [](const SequenceRecord& r) { return r.product; });
  column("fit", [](const SequenceRecord& r) { return r.fit; });
  column("inner_iterations", [](const SequenceRecord& r) { return r.inner_iterations; });
  column("seconds", [](const SequenceRecord& r) { return r.seconds; });
  return trace;
}

TrainResult run_training(nb::handle inputs, nb::handle targets, const std::vector<std::string>& input_names,
                         const std::vector<std::string>& target_names, const TrainOptions& given, nb::object callback) {
  Dataset data{samples_from(inputs, "inputs"), samples_from(targets, "targets"), input_names, target_names};
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
  field("lasso", [](TrainOptions& o) -> double& { return o.lasso; });
  field("group_lasso", [](TrainOptions& o) -> double& { return o.group_lasso; });
  field("nuclear", [](TrainOptions& o) -> double& { return o.nuclear; });
  field("random_scale", [](TrainOptions& o) -> double& { return o.random_scale; });
  field("seed", [](TrainOptions& o) -> unsigned& { return o.seed; });
  field("starts", [](TrainOptions& o) -> Index& { return o.starts; });
  field("threads", [](TrainOptions& o) -> int& { return o.threads; });
  field("polish", [](TrainOptions& o) -> bool& { return o.polish; });
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
      [](std::vector<Index> hidden, const std::string& loss) {
        return default_train_options(std::move(hidden), trained_loss(loss));
      },
      "hidden"_a, "loss"_a, "The defaults of the library for these hidden layers and this loss.");
}

void bind_constraints(nb::module_& module) {
  nb::class_<Constraints>(module, "Constraints", "Hard constraints on a network for raw data (docs/constraints.md).")
      .def_static("load", &load_constraints, "path"_a, "Reads a file of constraints.")
      .def_static("parse", &parse_constraints, "text"_a, "source"_a = "constraints",
                  "From the text of such a file; `source` stands for its name in messages.");
  module.def(
      "check_constraints",
      [](const Constraints& constraints, const Model& model) {
        nb::list checks;
        for (const ConstraintCheck& check : check_constraints(constraints, model)) {
          checks.append(nb::make_tuple(check.name, check.slack));
        }
        return checks;
      },
      "constraints"_a, "model"_a,
      nb::sig("def check_constraints(constraints: Constraints, model: Model) -> list[tuple[str, float]]"),
      "Pairs (name, slack): the least distance to a bound, >= 0 where the model keeps the constraint.");
  module.def("lipschitz_bound", &lipschitz_bound, "model"_a,
             "Product of the spectral norms of the layers on raw data: ||F(u) - F(v)|| <= it ||u - v||.");
}

void bind_measures(nb::module_& module) {
  nb::class_<FitMeasures>(module, "FitMeasures", "Fit of predictions to targets.")
      .def_ro("relative_residual", &FitMeasures::relative_residual, "||F - Y|| / ||Y|| (Frobenius).")
      .def_ro("mean_squared_error", &FitMeasures::mean_squared_error)
      .def_ro("r2", &FitMeasures::r2, "1 - SSE / SST about the mean; NaN for a constant target.")
      .def_ro("largest_error", &FitMeasures::largest_error);
  nb::class_<Evaluation>(module, "Evaluation", "Fit per target and over all.")
      .def_ro("per_target", &Evaluation::per_target)
      .def_ro("all", &Evaluation::all);
  module.def(
      "evaluate",
      [](nb::handle predictions, nb::handle targets) {
        return evaluate(samples_from(predictions, "predictions"), samples_from(targets, "targets"));
      },
      "predictions"_a, "targets"_a, "Evaluation of predictions (samples, outputs) against targets of the same shape.");
}

void bind_results(nb::module_& module) {
  nb::class_<TrainProgress>(module, "TrainProgress", "One record of one start, as a callback sees it.")
      .def_ro("start", &TrainProgress::start, "Start, from 0.")
      .def_ro("best_value", &TrainProgress::best_value, "Over all starts so far: loss, or fit for the exact loss.")
      .def_prop_ro(
          "iteration", [](const TrainProgress& p) { return p.record.iteration; }, "Outer iterations so far.")
      .def_prop_ro("objective", [](const TrainProgress& p) { return p.record.objective; })
      .def_prop_ro("merit", [](const TrainProgress& p) { return p.record.merit; })
      .def_prop_ro("loss", [](const TrainProgress& p) { return p.record.loss; })
      .def_prop_ro("complementarity", [](const TrainProgress& p) { return p.record.complementarity; })
      .def_prop_ro("product", [](const TrainProgress& p) { return p.record.product; })
      .def_prop_ro("fit", [](const TrainProgress& p) { return p.record.fit; })
      .def_prop_ro("inner_iterations", [](const TrainProgress& p) { return p.record.inner_iterations; })
      .def_prop_ro("seconds", [](const TrainProgress& p) { return p.record.seconds; });
  nb::class_<StartSummary>(module, "StartSummary", "What is known about one start.")
      .def_prop_ro("status", [](const StartSummary& s) { return to_string(s.status); })
      .def_ro("ran", &StartSummary::ran, "False: not needed, an earlier start had converged.")
      .def_ro("value", &StartSummary::value, "Best loss or fit, in scaled units.")
      .def_ro("polish_iterations", &StartSummary::polish_iterations)
      .def_ro("violations", &StartSummary::violations, "Of the last solution.")
      .def_prop_ro(
          "trace", [](const StartSummary& s) { return trace_of(s.trace); }, "Arrays, one value per record.");
  nb::class_<TrainResult>(module, "TrainResult", "What training ended with.")
      .def_ro("model", &TrainResult::model)
      .def_prop_ro(
          "status", [](const TrainResult& r) { return to_string(r.status); },
          "Of the start that was kept: 'converged', 'stalled', 'iteration limit', 'time limit' or\n"
          "'interrupted'.")
      .def_ro("best_start", &TrainResult::best_start, "The start that was kept, from 0.")
      .def_ro("starts", &TrainResult::starts)
      .def_ro("removed_units", &TrainResult::removed_units,
              "Group lasso: hidden units without input weights, which the model no longer has.")
      .def_prop_ro(
          "trace",
          [](const TrainResult& r) { return trace_of(r.starts[static_cast<std::size_t>(r.best_start)].trace); },
          "Arrays, one value per record of the start that was kept: iteration, objective, merit, loss, "
          "complementarity,\n"
          "product, fit, inner_iterations, seconds. Violations, loss and fit are in scaled units.")
      .def_ro("evaluation", &TrainResult::fit, "Fit of the model to the raw training data.");
}

}  // namespace

void bind_training(nb::module_& module) {
  nb::class_<Violations>(module, "Violations", "Largest absolute violations of the training problem's constraints.")
      .def_ro("affine", &Violations::affine)
      .def_ro("sign", &Violations::sign, "Negative parts of H and S.")
      .def_ro("output", &Violations::output, "Exact loss: outputs against targets.")
      .def_ro("complementarity", &Violations::complementarity, "h s")
      .def_ro("product", &Violations::product, "W H - C");
  bind_measures(module);
  bind_constraints(module);
  bind_options(module);
  bind_results(module);
  module.def("train", &run_training, "inputs"_a, "targets"_a, "input_names"_a, "target_names"_a, "options"_a,
             "callback"_a = nb::none(), "See relufit.train.");
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
