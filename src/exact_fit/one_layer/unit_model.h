/// \file
/// One hidden layer of ReLU units, as the searches for an exact fit see it.
///
///     Z = C F,   F = [relu(T X); 1; U]     X = [U; 1], a row of T is one unit (w_i, b_i), a column of F one sample
///
/// The rows U of F (the linear skip) are optional; with fixed output weights F is relu(T X) alone and C never changes;
/// without biases X is U and F has no constant row.
#pragma once

#include <vector>

#include "base/random.h"
#include "relufit/network.h"

namespace relufit {

/// Values of all unknowns of one hidden layer.
struct UnitModel {
  Matrix hidden;      ///< T, units x unit_size: weights and, where there is one, the bias
  Matrix output;      ///< C, outputs x features: unit weights, then (if any) the constant, then the skip
  bool skip = false;  ///< whether the features end in the inputs

  Index units() const { return hidden.rows(); }

  template <class Visitor>
  void visit_state(Visitor& visitor) {
    visitor(hidden, output, skip);
  }
};

enum class OutputWeights { trained, fixed };

/// Data of a fit, and what follows from them and a model. Holds copies of the data.
class UnitProblem {
 public:
  /// inputs n0 x N, targets nL x N (>= 0 for a ReLU output), N >= 1; not checked here.
  UnitProblem(const Matrix& inputs, const Matrix& targets, OutputActivation activation, bool bias = true,
              OutputWeights weights = OutputWeights::trained);

  Index samples() const { return inputs_.cols(); }
  Index input_size() const { return input_size_; }
  Index unit_size() const { return inputs_.rows(); }
  Index outputs() const { return targets_.rows(); }
  bool has_bias() const { return unit_size() > input_size(); }
  /// Whether F has a row of ones, whose weight in C is the output's bias.
  bool has_constant() const { return has_bias() && !has_fixed_output(); }
  bool has_fixed_output() const { return weights_ == OutputWeights::fixed; }
  bool has_relu_output() const { return activation_ == OutputActivation::relu; }
  /// X, unit_size x N.
  const Matrix& inputs() const { return inputs_; }
  const Matrix& targets() const { return targets_; }
  /// What residuals are relative to: the norm of the targets, 1 where that is 0.
  double scale() const { return scale_; }

  Index feature_count(const UnitModel& model) const;

  /// F (features x N), resized as needed.
  void features(const UnitModel& model, Matrix& features) const;
  /// The rows of F that depend on the units, into an F made by features() for a model of the same shape.
  void update_features(const UnitModel& model, Matrix& features) const;

  /// R = C F - Y (outputs x N), for a ReLU output with 0 where Y = 0 and C F <= 0. Returns ||R||_F^2.
  ///
  /// That is one-sided where a ReLU output must vanish, and linear, not ReLU, where it must not: an output wrongly off
  /// still has a gradient. It vanishes exactly where the plain network fits, and is never below the plain residual.
  double residual(const UnitModel& model, const Matrix& features, Matrix& residual) const;

  /// Whether an entry of R is part of the linearized residual.
  bool is_active(const Matrix& residual, Index output, Index sample) const {
    return !has_relu_output() || targets_(output, sample) > 0 || residual(output, sample) > 0;
  }

  /// Makes unit i random: |w| = 1, its hyperplane near the middle of the data; without bias w ~ N(0, I/n0).
  void randomize_unit(Random& random, Index i, UnitModel& model) const;
  /// Random units and small random output weights; with fixed output, ones.
  UnitModel random_model(Index units, bool skip, Random& random) const;

  /// Hidden and output layer of a model without skip.
  std::vector<Layer> layers(const UnitModel& model) const;

 private:
  Matrix inputs_;
  Matrix targets_;
  Index input_size_;
  OutputActivation activation_;
  OutputWeights weights_;
  double scale_;
};

/// Scales every unit to norm 1, its output weights (and features, unless null) inversely. By positive homogeneity of
/// the ReLU no output changes; it keeps the damping of a step equally strong for all units.
void normalize_units(UnitModel& model, Matrix* features = nullptr);

/// C minimizes the residual over the linearized entries of R: a least squares solution for linear outputs, one Newton
/// step for ReLU outputs (the set of active entries may change with C).
class OutputSolver {
 public:
  explicit OutputSolver(const UnitProblem& problem) : problem_(&problem) {}

  /// `residual` is that of the model; the model's output is replaced.
  void solve(const Matrix& features, const Matrix& residual, UnitModel& model);

 private:
  void solve_linear(const Matrix& features, const Matrix& residual, UnitModel& model);
  void solve_relu(const Matrix& features, const Matrix& residual, UnitModel& model);

  const UnitProblem* problem_;
  Matrix gram_;
  Matrix active_;
  Vector active_residual_;
  Matrix right_;
};

}  // namespace relufit
