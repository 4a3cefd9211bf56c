#include "train/choice/ridge_path.h"

#include <fmt/format.h>

#include <utility>

#include "polish/constrained_polish.h"
#include "polish/units/revive.h"
#include "train/plan/train_state.h"

namespace relufit {

std::vector<double> ridges_to(double last) {
  std::vector<double> ridges;
  for (const double ridge : kRidges) {
    if (ridge > last) ridges.push_back(ridge);
  }
  ridges.push_back(last);
  return ridges;
}

RidgePath::RidgePath(LiftedProblem problem, double values, RelaxationParameters start, SequenceOptions relaxation,
                     unsigned long long seed, Piece piece, SequenceObserver observer, Measure measure,
                     std::optional<LiftedProblem> few)
    : problem_(std::move(problem)),
      values_(values),
      start_(std::move(start)),
      relaxation_(std::move(relaxation)),
      seed_(seed),
      piece_(std::move(piece)),
      observer_(std::move(observer)),
      measure_(std::move(measure)),
      few_(std::move(few)) {
  piece_.restore(visit());
}

Piece::Visit RidgePath::visit() {
  return [this](StateVisitor& visitor) { visitor(layers_, result_, seed_, done_); };
}

void RidgePath::fit(double ridge, const Refine& refine) {
  if (calls_++ < done_.size()) return;
  problem_.ridge = ridge * values_;
  if (few_) few_->ridge = ridge * loss_terms(few_->loss, few_->samples(), few_->targets.rows());
  const Piece piece = piece_.part(fmt::format("ridge {}", done_.size()));
  improve(refine, piece);
  done_.push_back({relufit::is_idle(problem_, layers_), measure_ ? measure_(layers_) : 0});
  piece_.advance(visit());
}

void RidgePath::improve(const Refine& refine, const Piece& piece) {
  const bool polishes = problem_.weight_terms.empty() || has_constrained_polish(problem_, {});
  if (!layers_.empty()) revive_units(few(), layers_, seed_++);
  if (layers_.empty() || relufit::is_idle(problem_, layers_)) {
    relax(piece.part("relaxation"));
    if (polishes) revive_units(few(), layers_, seed_++);
  } else if (!polishes) {
    const Piece again = piece.part("relaxation");
    SequenceOptions relaxation = relaxation_;
    relaxation.piece = &again;
    const RelaxationParameters values = parameters_at(lift_network(problem_, layers_));
    layers_ = run_sequence(problem_, with_scales(values, relaxation_.scales), relaxation).best_layers;
  }
  if (!polishes) return;
  PolishResult refined = refine(problem_, layers_, piece.part("polish"));
  layers_ = std::move(refined.layers);
  result_.polish_iterations += refined.iterations;
}

void RidgePath::relax(const Piece& piece) {
  const Index polished = result_.polish_iterations;
  SequenceOptions relaxation = relaxation_;
  relaxation.piece = &piece;
  result_ = piece.once([&] { return run_sequence(few(), start_, relaxation, observer_); });
  result_.polish_iterations = polished;
  layers_ = result_.best_layers;
}

}  // namespace relufit
