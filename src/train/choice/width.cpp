#include "train/choice/width.h"

#include <fmt/format.h>

#include <algorithm>

namespace relufit {

namespace {

constexpr Index kMostUnits = 160;
constexpr double kWorthDoubling = 0.98;  // twice the units must predict better by this factor

/// The loss of held-out samples for the ridge given, or chosen.
double held_out(const RidgeChoice& choice, const TrainOptions& options) {
  if (options.ridge) return choice.held_out.back();
  const auto chosen = std::find(choice.ridges.begin(), choice.ridges.end(), choice.ridge) - choice.ridges.begin();
  return choice.held_out[static_cast<std::size_t>(chosen)];
}

}  // namespace

WidthChoice choose_width(const Dataset& data, const TrainOptions& given, const Clock& clock, const RidgeObserver& tried,
                         const Piece& piece) {
  WidthChoice choice;
  TrainOptions options = given;
  options.automatic_width = false;
  options.ranks = nullptr;  // the choice is one rank's
  for (Index width = kUsualWidth; width <= kMostUnits; width *= 2) {
    options.hidden = {width};
    const TrainPlan planned = plan(options);
    options.ridge = planned.ridge;  // that of a start which is not random, too
    const ScaledProblem scaled = scaled_problem(data, options);
    check(scaled.problem);
    const std::optional<RidgeChoice> ridge =
        choose_ridge(data, scaled, options, planned, clock, tried, piece.part(fmt::format("width {}", width)));
    if (!ridge || ridge->held_out.empty()) break;
    choice.widths.push_back(width);
    choice.held_out.push_back(held_out(*ridge, options));
    const bool is_better =
        choice.held_out.size() == 1 || choice.held_out.back() < kWorthDoubling * choice.held_out.rbegin()[1];
    if (!is_better) break;
    choice.width = width;
    choice.ridge = *ridge;
  }
  return choice;
}

}  // namespace relufit
