#include "train_summary.h"

#include "output.h"
#include "report.h"

namespace relufit::cli {

namespace {

std::string choice_by(const RidgeChoice& choice) {
  if (choice.by_validation) return "on the validation data";
  return choice.parts > 1 ? fmt::format("in {}-fold cross-validation", choice.parts) : "on held-out samples";
}

}  // namespace

void print_summary(const std::string& model, const TrainResult& result, const Samples& samples) {
  const StartSummary& kept = result.starts[static_cast<std::size_t>(result.best_start)];
  const SequenceRecord& last = kept.trace.back();
  print("{}: {} after {} iterations ({} inner), {:.2f} s", result.model.training.strategy, to_string(result.status),
        last.iteration, last.inner_iterations, result.model.training.seconds);
  if (result.removed_units > 0) print(", {} units removed", result.removed_units);
  if (kept.polish_iterations > 0) print(", polished in {} iterations", kept.polish_iterations);
  if (result.seconds_before > 0) print("; resumed after {:.2f} s", result.seconds_before);
  if (result.starts.size() > 1) print("; start {} of {} kept", result.best_start + 1, result.starts.size());
  if (result.width_choice && !result.width_choice->widths.empty()) {
    print("\n{} hidden units predict best, of {} to {}", result.width_choice->width,
          result.width_choice->widths.front(), result.width_choice->widths.back());
  }
  if (result.ridge_choice) {
    const RidgeChoice& choice = *result.ridge_choice;
    print("\nridge {} predicts best {}, of {} from {} to {}", choice.ridge, choice_by(choice), choice.ridges.size(),
          choice.ridges.front(), choice.ridges.back());
  }
  print("\nlargest violation: pair {:.2e}, product {:.2e} (scaled units)\n", kept.violations.pair,
        kept.violations.product);
  if (result.grid) {
    print("weights are multiples of {}: mean loss {:.4e} before, {:.4e} rounded, {:.4e} repaired (scaled units)\n",
          result.grid->step, result.grid->before, result.grid->rounded, result.grid->repaired);
  }
  print_report("training data", result.model, samples.train);
  if (samples.validation) print_report("validation data", result.model, *samples.validation);
  if (samples.test) print_report("held-out data", result.model, *samples.test);
  print("model: {}\n", model);
}

nlohmann::json summary_json(const std::string& model, const TrainResult& result, const Samples& samples) {
  const StartSummary& kept = result.starts[static_cast<std::size_t>(result.best_start)];
  nlohmann::json json = {{"model", model},
                         {"strategy", result.model.training.strategy},
                         {"status", to_string(result.status)},
                         {"best_start", result.best_start},
                         {"iterations", kept.trace.back().iteration},
                         {"inner_iterations", kept.trace.back().inner_iterations},
                         {"polish_iterations", kept.polish_iterations},
                         {"removed_units", result.removed_units},
                         {"seconds", result.model.training.seconds},
                         {"seconds_before", result.seconds_before},
                         {"violations",
                          {{"affine", kept.violations.affine},
                           {"sign", kept.violations.sign},
                           {"output", kept.violations.output},
                           {"pair", kept.violations.pair},
                           {"product", kept.violations.product}}},
                         {"train", report_json(result.model, samples.train)}};
  if (result.width_choice) {
    json["hidden"] = {{"chosen", result.width_choice->width},
                      {"widths", result.width_choice->widths},
                      {"held_out", result.width_choice->held_out}};
  }
  if (result.ridge_choice) {
    json["ridge"] = {{"chosen", result.ridge_choice->ridge},
                     {"ridges", result.ridge_choice->ridges},
                     {"held_out", result.ridge_choice->held_out},
                     {"standard_error", result.ridge_choice->standard_error},
                     {"parts", result.ridge_choice->parts}};
  }
  if (result.grid) {
    json["weight_grid"] = {{"step", result.grid->step},
                           {"before", result.grid->before},
                           {"rounded", result.grid->rounded},
                           {"repaired", result.grid->repaired}};
  }
  if (samples.validation) json["validation"] = report_json(result.model, *samples.validation);
  if (samples.test) json["test"] = report_json(result.model, *samples.test);
  return json;
}

}  // namespace relufit::cli
