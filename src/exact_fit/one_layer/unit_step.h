/// \file
/// The damped Gauss-Newton step of one hidden layer (unit_model.h), output weights eliminated.
///
/// With a_i(n) = [t_i x_n > 0] x_n the gated inputs of unit i, the residual's derivatives are
///
///     dR_on / dt_i = c_oi a_i(n)',    dR_on / dC_o = f_n'.
///
/// Let the outputs be split into groups of outputs with the same active samples (linear outputs: one group of all; ReLU
/// outputs: each on its own), A = [a_1; a_2; ...] and F the gated inputs and features of a group's active samples. The
/// normal equations of (T, C) have in each group the blocks
///
///     (T, T)  W o (A A'),  W = C_g' C_g, one factor per pair of units      (C_o, C_o)  G = F F'      (C_o, T)  F A'
///     D_o
///
/// with o the product with each block's factor and D_o the factors c_oi. So one Gram matrix [A; F] [A; F]' holds all of
/// it, whatever the number of outputs in the group, and eliminating the output weights (variable projection) leaves
///
///     sum over groups  W o (A A' - A F' G^-1 F A'),    an equation of the hidden units alone.
#pragma once

#include <vector>

#include "exact_fit/one_layer/unit_model.h"
#include "linear_algebra/decompositions.h"

namespace relufit {

class UnitStep {
 public:
  explicit UnitStep(const UnitProblem& problem) : problem_(&problem) {}

  /// At a model with its features and residual. Returns false where no entry of the residual is active.
  bool linearize(const UnitModel& model, const Matrix& features, const Matrix& residual);

  /// The step with `damping` times the mean diagonal of the (T, T) block added to that block: `trial` = model - step.
  /// False where the system is not positive definite to rounding. `trial` must have the model's shape.
  bool solve(const UnitModel& model, double damping, UnitModel& trial);

  /// Gradient times step of the last solve(), of the order of the decrease of ||R||^2.
  double predicted_decrease() const { return predicted_decrease_; }

  /// The reduced normal matrix, lower triangle (units * unit_size squared, unit by unit), undamped.
  const Matrix& normal_matrix() const { return normal_; }
  /// Half the gradient of ||R||^2 in T: units * unit_size, unit by unit.
  const Vector& gradient() const { return gradient_; }
  /// Half the gradient in C, features x outputs.
  const Matrix& output_gradient() const { return output_gradient_; }

 private:
  struct Group {
    Index first = 0;  // outputs first..first + count - 1
    Index count = 0;
    Eigen::LLT<Matrix> factor;  // G = L L'
    Matrix coupling;            // L^-1 F A', features x (units * unit_size)
    Matrix gradient;            // L^-1 F R', features x count
  };

  Index linearize(Group& group, const UnitModel& model, const Matrix& features, const Matrix& residual);
  Index gather(const Group& group, const Matrix& features, const Matrix& residual, Index units);
  void eliminate(Group& group, Index hidden_size);
  void add_blocks(const UnitModel& model);
  void add_gradient(const Group& group, const UnitModel& model);
  void output_step(const Group& group, const UnitModel& model, UnitModel& trial);

  const UnitProblem* problem_;
  std::vector<Group> groups_;
  Matrix stacked_;          // [A; F] of a group's active samples
  Matrix gram_;             // stacked stacked', lower triangle
  Matrix active_residual_;  // a group's active samples x its outputs
  Matrix products_;         // stacked * active_residual
  Matrix unit_products_;    // C_g' C_g
  Matrix normal_;
  Matrix damped_;
  double mean_diagonal_ = 0;
  Vector gradient_;
  Vector reduced_gradient_;
  Matrix output_gradient_;
  Vector step_;
  Vector scaled_step_;  // D_o step
  Vector output_step_;
  double predicted_decrease_ = 0;
};

}  // namespace relufit
