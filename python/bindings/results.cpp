#include <nanobind/stl/optional.h>

#include <optional>

#include "arrays.h"
#include "bindings.h"
#include "paths.h"
#include "relufit/constraints.h"
#include "relufit/train.h"

namespace relufit::python {

namespace {

using namespace nanobind::literals;

/// Records as NumPy arrays, one per column: what the program writes as a trace.
nb::dict trace_of(const std::vector<SequenceRecord>& records) {
  nb::dict trace;
  const auto column = [&](const char* name, auto value) {
    std::vector<decltype(value(records.front()))> values;
    for (const SequenceRecord& record : records) values.push_back(value(record));
    trace[name] = to_array(std::move(values));
  };
  column("iteration", [](const SequenceRecord& r) { return r.iteration; });
  column("objective", [](const SequenceRecord& r) { return r.objective; });
  column("merit", [](const SequenceRecord& r) { return r.merit; });
  column("loss", [](const SequenceRecord& r) { return r.loss; });
  column("pair", [](const SequenceRecord& r) { return r.pair; });
  column("product", [](const SequenceRecord& r) { return r.product; });
  column("fit", [](const SequenceRecord& r) { return r.fit; });
  column("inner_iterations", [](const SequenceRecord& r) { return r.inner_iterations; });
  column("seconds", [](const SequenceRecord& r) { return r.seconds; });
  return trace;
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

void bind_constraints(nb::module_& module) {
  nb::class_<Constraints>(module, "Constraints", "Hard constraints on a network for raw data (docs/constraints.md).")
      .def_static(
          "load", [](nb::handle path) { return load_constraints(path_from(path)); }, "path"_a,
          nb::sig("def load(path: str | bytes | os.PathLike) -> Constraints"), "Reads a file of constraints.")
      .def_static("parse", &parse_constraints, "text"_a, "source"_a = "constraints",
                  "From the text of such a file; `source` stands for its name in messages.");
  nb::class_<ConstraintCheck>(module, "ConstraintCheck", "One constraint and how a model keeps it.")
      .def_ro("name", &ConstraintCheck::name)
      .def_ro("slack", &ConstraintCheck::slack, "Least distance to a bound, >= 0 where the constraint holds.")
      .def_prop_ro(
          "holds", [](const ConstraintCheck& c) { return holds(c); },
          "Whether the slack is at least 0 (docs/constraints.md says to what tolerance equalities are kept).")
      .def("__repr__", [](const ConstraintCheck& c) {
        return fmt::format("<relufit.ConstraintCheck {}: slack {:.3g}>", c.name, c.slack);
      });
  module.def(
      "check_constraints",
      [](const Constraints& constraints, const Model& model, nb::handle inputs) {
        if (inputs.is_none()) return check_constraints(constraints, model, Matrix(model.network.input_size(), 0));
        return check_constraints(constraints, model, raw_inputs(model, inputs).columns());
      },
      "constraints"_a, "model"_a, "inputs"_a = nb::none(),
      nb::sig("def check_constraints(constraints: Constraints, model: Model, "
              "inputs: numpy.typing.ArrayLike | None = None) -> list[ConstraintCheck]"),
      "How the model keeps the constraints, recomputed from its weights; bounds on outputs at the samples are checked\n"
      "at `inputs` (samples, inputs), raw, and left out without them. Frames are taken as by Model.predict.");
  module.def("lipschitz_bound", &lipschitz_bound, "model"_a,
             "Product of the spectral norms of the layers on raw data: ||F(u) - F(v)|| <= it ||u - v||.");
}

void bind_progress(nb::module_& module) {
  nb::class_<TrainProgress>(module, "TrainProgress",
                            "One record of one start, or one ridge tried before them, as a callback sees it.")
      .def_ro("start", &TrainProgress::start, "Start, from 0.")
      .def_ro("best_value", &TrainProgress::best_value, "Over all starts so far: loss, or fit for the exact loss.")
      .def_ro(
          "tried_ridge", &TrainProgress::tried_ridge,
          "The ridge just tried on held-out samples, before the first start; `loss` is then their mean loss, and only\n"
          "`seconds` and `best_value` count beside it. None for records of starts.")
      .def_prop_ro(
          "iteration", [](const TrainProgress& p) { return p.record.iteration; }, "Outer iterations so far.")
      .def_prop_ro("objective", [](const TrainProgress& p) { return p.record.objective; })
      .def_prop_ro("merit", [](const TrainProgress& p) { return p.record.merit; })
      .def_prop_ro("loss", [](const TrainProgress& p) { return p.record.loss; })
      .def_prop_ro("pair", [](const TrainProgress& p) { return p.record.pair; })
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
}

/// What training chose, where the user did not, and how it rounded.
void bind_choices(nb::module_& module) {
  nb::class_<WeightGridReport>(module, "WeightGridReport",
                               "Mean loss per sample (exact loss: squared; scaled targets) while weights are rounded.")
      .def_ro("step", &WeightGridReport::step, "Weights and biases for raw data are multiples of it.")
      .def_ro("before", &WeightGridReport::before)
      .def_ro("rounded", &WeightGridReport::rounded, "Every weight at the nearest multiple, no more.")
      .def_ro("repaired", &WeightGridReport::repaired, "Of the result, never larger than `rounded`.");
  nb::class_<RidgeChoice>(module, "RidgeChoice", "The ridge that predicts held-out samples best, and how it was found.")
      .def_ro("ridge", &RidgeChoice::ridge, "The one chosen.")
      .def_ro("ridges", &RidgeChoice::ridges, "Those tried, falling.")
      .def_ro("held_out", &RidgeChoice::held_out,
              "For each the mean loss of a held-out target value (cross-entropy: sample), scaled units.")
      .def_ro("by_validation", &RidgeChoice::by_validation, "Whether held-out samples were validation samples given.")
      .def_ro("standard_error", &RidgeChoice::standard_error,
              "Of these means, from their spread over the parts; 0 for one held-out part.")
      .def_ro("parts", &RidgeChoice::parts, "Of the samples held out, each in its turn: the folds, or 1.");
  nb::class_<WidthChoice>(module, "WidthChoice",
                          "The units that predict held-out samples best, and how they were found.")
      .def_ro("width", &WidthChoice::width, "The one chosen.")
      .def_ro("widths", &WidthChoice::widths, "Those tried, rising.")
      .def_ro("held_out", &WidthChoice::held_out,
              "For each the mean loss of a held-out target value (cross-entropy: sample), scaled units.");
}

void bind_train_result(nb::module_& module) {
  nb::class_<TrainResult>(module, "TrainResult", "What training ended with.")
      .def_ro("model", &TrainResult::model)
      .def_prop_ro(
          "status", [](const TrainResult& r) { return to_string(r.status); },
          "Of the start that was kept: 'converged', 'stalled', 'iteration limit', 'time limit' or\n"
          "'interrupted'.")
      .def_ro("seconds_before", &TrainResult::seconds_before,
              "Of the trainings that this one has gone on with: see `resume` of relufit.train.")
      .def_ro("best_start", &TrainResult::best_start, "The start that was kept, from 0.")
      .def_ro("starts", &TrainResult::starts)
      .def_ro("width_choice", &TrainResult::width_choice, "Where the units were chosen from the data, else None.")
      .def_ro("ridge_choice", &TrainResult::ridge_choice, "Where the ridge was chosen from the data, else None.")
      .def_ro("removed_units", &TrainResult::removed_units,
              "Group lasso: hidden units without input weights, which the model no longer has.")
      .def_prop_ro(
          "trace",
          [](const TrainResult& r) { return trace_of(r.starts[static_cast<std::size_t>(r.best_start)].trace); },
          "Arrays, one value per record of the start that was kept: iteration, objective, merit, loss, pair,\n"
          "product, fit, inner_iterations, seconds. Violations, loss and fit are in scaled units.")
      .def_prop_ro(
          "evaluation",
          [](const TrainResult& r) -> std::optional<Evaluation> {
            if (r.classes) return std::nullopt;
            return r.evaluation;
          },
          "Evaluation: fit of the model to the raw training data. None for a classification.")
      .def_ro("classes", &TrainResult::classes, "ClassificationMeasures on the training data. None for a regression.")
      .def_ro("grid", &TrainResult::grid, "WeightGridReport where weights were rounded, else None.")
      .def_ro("constraints", &TrainResult::constraints, "A ConstraintCheck for every constraint, from the weights.");
}

}  // namespace

void bind_results(nb::module_& module) {
  nb::class_<Violations>(module, "Violations", "Largest absolute violations of the training problem's constraints.")
      .def_ro("affine", &Violations::affine)
      .def_ro("sign", &Violations::sign, "Negative parts of H and S.")
      .def_ro("output", &Violations::output, "Exact loss: outputs against targets.")
      .def_ro("pair", &Violations::pair, "h s")
      .def_ro("product", &Violations::product, "W H - C");
  bind_measures(module);
  bind_constraints(module);
  bind_progress(module);
  bind_choices(module);
  bind_train_result(module);
}

}  // namespace relufit::python
