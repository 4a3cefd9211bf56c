#include <nanobind/stl/optional.h>

#include <optional>

#include "arrays.h"
#include "bindings.h"
#include "interruptible.h"
#include "paths.h"
#include "ranks.h"
#include "relufit/constraints.h"
#include "relufit/teacher.h"
#include "relufit/train.h"

namespace relufit::python {

namespace {

using namespace nanobind::literals;

void set_init(TrainOptions& options, nb::handle value) {
  if (nb::isinstance<Model>(value)) {
    options.init = nb::cast<Model>(value);
    return;
  }
  const std::string name = nb::str(value).c_str();
  if (name != "zero" && name != "random") {
    throw std::invalid_argument(fmt::format("init: '{}', expected 'random', 'zero' or a Model", name));
  }
  options.init = name == "zero" ? Start(ZeroStart{}) : Start(RandomStart{});
}

void set_checkpoint(TrainOptions& options, nb::handle path) {
  options.checkpoint = path_from(path);
  if (options.checkpoint.empty()) throw std::invalid_argument("checkpoint: '', expected the name of a file");
}

Dataset dataset_from(nb::handle inputs, nb::handle targets, const std::vector<std::string>& input_names,
                     const std::vector<std::string>& target_names, nb::handle sample_weight,
                     const std::optional<Classification>& classification, nb::dict categories) {
  Dataset data{samples_from(inputs, "inputs"), {}, input_names, target_names};
  data.categories = categories_from(categories);
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
                         nb::handle sample_weight, const std::optional<Classification>& classification,
                         nb::handle validation, nb::dict categories, nb::handle ranks) {
  Dataset data = dataset_from(inputs, targets, input_names, target_names, sample_weight, classification, categories);
  TrainOptions options = given;
  if (nb::isinstance<nb::tuple>(validation)) {
    try {
      options.validation = dataset_from(validation[0], validation[1], input_names, target_names, validation[2],
                                        classification, categories);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(fmt::format("validation: {}", error.what()));
    }
  } else if (!validation.is_none()) {
    Split split = split_dataset(data, nb::cast<double>(validation), options.seed);
    data = std::move(split.train);
    options.validation = std::move(split.test);
  }
  Interruptible computation;
  std::optional<PythonRanks> processes;
  if (!ranks.is_none()) {
    processes.emplace(nb::object(ranks[0]), nb::cast<int>(ranks[1]), nb::cast<int>(ranks[2]), computation);
    if (processes->size() > 1) options.ranks = &*processes;
  }
  options.should_stop = [&] { return computation.should_stop(); };
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

/// Options that are set by name, being kept in a type of their own.
void bind_named_options(nb::class_<TrainOptions>& options) {
  options
      .def(
          "set_loss",
          [](TrainOptions& o, const std::string& name, double parameter) { o.loss = loss_from(name, parameter); },
          "name"_a, "parameter"_a = 0.0)
      .def(
          "set_activation",
          [](TrainOptions& o, const std::string& name, std::optional<double> parameter) {
            o.activation = activation_from(name, parameter);
          },
          "name"_a, "parameter"_a = nb::none())
      .def(
          "set_method", [](TrainOptions& o, const std::string& name) { o.method = method_from(name); }, "name"_a)
      .def(
          "set_strategy", [](TrainOptions& o, const std::string& name) { o.strategy = strategy_from(name); }, "name"_a)
      .def(
          "set_output_activation",
          [](TrainOptions& o, const std::string& name) { o.output_activation = output_activation_from(name); },
          "name"_a)
      .def("set_init", &set_init, "start"_a)
      .def("set_checkpoint", &set_checkpoint, "path"_a,
           nb::sig("def set_checkpoint(self, path: str | bytes | os.PathLike[Any]) -> None"))
      .def(
          "set_fixed_output",
          [](TrainOptions& o, nb::handle weights) { o.fixed_output = matrix_from(weights, "fixed_output"); },
          "weights"_a, nb::sig("def set_fixed_output(self, weights: numpy.typing.ArrayLike) -> None"));
}

void bind_options(nb::module_& module) {
  nb::class_<TrainOptions> options(module, "TrainOptions", "Options of training: see relufit.train.");
  options.def(nb::init<>())
      .def_rw("hidden", &TrainOptions::hidden)
      .def_rw("automatic_width", &TrainOptions::automatic_width)
      .def_rw("bias", &TrainOptions::bias)
      .def_rw("skip_connections", &TrainOptions::skip_connections)
      .def_rw("ridge", &TrainOptions::ridge)
      .def_rw("folds", &TrainOptions::folds)
      .def_rw("lasso", &TrainOptions::lasso)
      .def_rw("group_lasso", &TrainOptions::group_lasso)
      .def_rw("nuclear", &TrainOptions::nuclear)
      .def_rw("constraints", &TrainOptions::constraints)
      .def_rw("weight_grid", &TrainOptions::weight_grid)
      .def_rw("random_scale", &TrainOptions::random_scale)
      .def_rw("polish", &TrainOptions::polish)
      .def_rw("inner_iterations", &TrainOptions::inner_iterations)
      .def_rw("lambda_pair", &TrainOptions::lambda_pair)
      .def_rw("lambda_product", &TrainOptions::lambda_product)
      .def_rw("pair_scale", &TrainOptions::pair_scale)
      .def_rw("left_scale", &TrainOptions::left_scale)
      .def_rw("right_scale", &TrainOptions::right_scale)
      .def_rw("penalty_pair", &TrainOptions::penalty_pair)
      .def_rw("penalty_product", &TrainOptions::penalty_product)
      .def_rw("penalty_output", &TrainOptions::penalty_output)
      .def_rw("over_relaxation", &TrainOptions::over_relaxation)
      .def_rw("candidates", &TrainOptions::candidates)
      .def_rw("candidate_iterations", &TrainOptions::candidate_iterations)
      .def_rw("seed", &TrainOptions::seed)
      .def_rw("starts", &TrainOptions::starts)
      .def_rw("iterations", &TrainOptions::iterations)
      .def_rw("tolerance", &TrainOptions::tolerance)
      .def_rw("stall_window", &TrainOptions::stall_window)
      .def_rw("record_interval", &TrainOptions::record_interval)
      .def_rw("time_limit", &TrainOptions::time_limit)
      .def_rw("checkpoint_interval", &TrainOptions::checkpoint_interval)
      .def_rw("resume", &TrainOptions::resume)
      .def_rw("threads", &TrainOptions::threads);
  bind_named_options(options);

  nb::class_<TrainPlan>(module, "TrainPlan", "Options with every default filled in: what training does.")
      .def_prop_ro("method", [](const TrainPlan& p) { return to_string(p.method); })
      .def_prop_ro("strategy", [](const TrainPlan& p) { return to_string(p.relaxation.strategy); })
      .def_ro("ridge", &TrainPlan::ridge)
      .def_ro("polish", &TrainPlan::polish)
      .def_ro("path", &TrainPlan::path)
      .def_ro("exact_race", &TrainPlan::exact_race)
      .def_ro("random_scale", &TrainPlan::random_scale)
      .def_ro("iterations", &TrainPlan::iterations)
      .def_ro("tolerance", &TrainPlan::tolerance)
      .def_prop_ro("lambda_pair", [](const TrainPlan& p) { return p.relaxation.weights.pair; })
      .def_prop_ro("lambda_product", [](const TrainPlan& p) { return p.relaxation.weights.product; })
      .def_prop_ro("penalty_pair", [](const TrainPlan& p) { return p.relaxation.penalties.pair; })
      .def_prop_ro("over_relaxation", [](const TrainPlan& p) { return p.relaxation.subproblem.over_relaxation; });
  module.def("plan", &plan, "options"_a, "What `train` does for these options. ValueError for what does not fit.");
}

}  // namespace

void bind_training(nb::module_& module) {
  bind_options(module);
  module.def("train", &run_training, "inputs"_a, "targets"_a, "input_names"_a, "target_names"_a, "options"_a,
             "callback"_a = nb::none(), "sample_weight"_a = nb::none(), "classification"_a = nb::none(),
             "validation"_a = nb::none(), "categories"_a = nb::dict(), "ranks"_a = nb::none(),
             "See relufit.train. With a Classification, targets are positions of classes, all of them valid.\n"
             "`validation` is a fraction of the samples, or (inputs, targets, sample_weight or None). `ranks`:\n"
             "(gather, size, rank) of several processes.");
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
