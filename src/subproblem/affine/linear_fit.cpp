#include "subproblem/affine/linear_fit.h"

#include "linear_algebra/products.h"

namespace relufit {

LinearFit::LinearFit(const LiftedProblem& problem, const Chunks& chunks)
    : problem_(problem),
      rows_(problem.inputs, problem.bias, chunks),
      gamma_(rows_.rank()),
      layer_(zero_point(problem).layers.front()),
      partial_(chunks, layer_.weights.rows() * rows_.rank()),
      projected_(layer_.weights.rows(), rows_.rank()),
      shrunk_(layer_.weights.rows(), rows_.rank()) {}

void LinearFit::prepare(double weight, const Penalties& penalties) {
  pull_.penalty = WeightPull::penalty_of(problem_, penalties, 1);
  alpha_ = (problem_.ridge + pull_.penalty) / weight;
  rows_.shrinkage(alpha_, gamma_);
}

void LinearFit::solve(const Copies& copies) {
  projected_.reshaped() = partial_.total();
  if (pull_.penalty > 0) {
    pull_.set_mean(problem_, copies, 1);
    pull_.mean *= pull_.penalty / (problem_.ridge + pull_.penalty);
    rows_.project(pull_.mean, pull_q_);
    projected_ -= pull_q_;
  }
  shrunk_.noalias() = projected_ * gamma_.asDiagonal();
  rows_.weights(projected_, alpha_, layer_);
  if (pull_.penalty == 0) return;
  layer_.weights += pull_.mean;
  subtract_product(layer_.bias, pull_.mean, rows_.mean());
  shrunk_ += pull_q_;
}

}  // namespace relufit
