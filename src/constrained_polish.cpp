// Levenberg-Marquardt whose steps are convex problems with the weight terms g_t as they stand. At parameters x, with
// the gradient f of the loss and its Gauss-Newton matrix G (J'J for squares, J the Jacobian of the errors),
//
//     minimize over d   f'd + 1/2 d'G d + mu/2 ||D d||^2 + sum_t g_t(W_t + d_t),     D^2 = diag(G),
//
// W_t being the weights of the term's layer. By ADMM with a copy C_t of W_t + d_t for each term, scaled multipliers U_t
// and one Cholesky factorization per step:
//
//     d    = (G + mu D^2 + rho P'P)^{-1} (-f + rho P'(C - U - W))       P picks the weights of each term
//     C    = prox_{g/rho}(W + P d + U),   U += W + P d - C
//
// The new weights are the copies, in which constraints hold and zeros are exact. A step is taken if network_loss falls,
// terms included; else mu grows. The multipliers go on from step to step.

#include "constrained_polish.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

#include "relufit/sequence.h"

namespace relufit {

namespace {

constexpr Index kInnerIterations = 400;
constexpr double kInnerTolerance = 1e-10;
constexpr double kFirstDamping = 1e-2;
constexpr double kLeastDamping = 1e-12;
constexpr double kMostDamping = 1e8;
constexpr double kSettled = 1e-12;  // relative decrease of the loss
constexpr int kSettledSteps = 3;

class ConstrainedStep {
 public:
  ConstrainedStep(const LiftedProblem& problem, const std::vector<Layer>& layers)
      : problem_(problem), errors_(problem) {
    for (const WeightTerm& term : problem.weight_terms) {
      multipliers_.push_back(0 * layers[static_cast<std::size_t>(term.layer) - 1].weights);
    }
  }

  /// The quadratic model at these layers.
  void linearize(const std::vector<Layer>& layers) {
    layers_ = &layers;
    errors_.gauss_newton(errors_.pack(layers), gradient_, gram_);
    const double mean = gram_.diagonal().mean();
    // Parameters that no error depends on, as those of dead units, would make the system singular.
    scale_ = gram_.diagonal().cwiseMax(1e-8 * mean);
    const double rho = std::max(mean, 1e-300);
    for (Matrix& u : multipliers_) u *= rho_ / rho;
    rho_ = rho;
  }

  /// The network after the step with this damping.
  std::vector<Layer> solve(double damping) {
    Matrix system = gram_;
    system.diagonal() += damping * scale_;
    for (const WeightTerm& term : problem_.weight_terms) {
      const auto weights = static_cast<Index>(problem_weights(term).size());
      system.diagonal().segment(offset(term), weights).array() += rho_;
    }
    factor_.compute(system.selfadjointView<Eigen::Lower>());
    std::vector<Matrix> copies;
    for (const WeightTerm& term : problem_.weight_terms) copies.push_back(problem_weights(term));
    for (Index i = 0; i < kInnerIterations; ++i) {
      if (iterate(copies) <= kInnerTolerance) break;
    }
    return network(copies);
  }

 private:
  const Matrix& problem_weights(const WeightTerm& term) const {
    return (*layers_)[static_cast<std::size_t>(term.layer) - 1].weights;
  }
  Index offset(const WeightTerm& term) const { return errors_.offset(static_cast<std::size_t>(term.layer) - 1); }

  /// One iteration; returns the larger of its two relative residuals.
  double iterate(std::vector<Matrix>& copies) {
    step_ = -gradient_;
    const auto& terms = problem_.weight_terms;
    for (std::size_t t = 0; t < terms.size(); ++t) {
      const Matrix& weights = problem_weights(terms[t]);
      step_.segment(offset(terms[t]), weights.size()) += rho_ * (copies[t] - multipliers_[t] - weights).reshaped();
    }
    factor_.solveInPlace(step_);
    double gap = 0, change = 0, size = 0;
    for (std::size_t t = 0; t < terms.size(); ++t) {
      const Matrix& weights = problem_weights(terms[t]);
      const Matrix moved =
          weights + step_.segment(offset(terms[t]), weights.size()).reshaped(weights.rows(), weights.cols());
      Matrix copy = moved + multipliers_[t];
      apply_prox(terms[t], 1 / rho_, copy);
      multipliers_[t] += moved - copy;
      gap += (moved - copy).squaredNorm();
      change += (copy - copies[t]).squaredNorm();
      size += copy.squaredNorm();
      copies[t] = copy;
    }
    return std::sqrt(std::max(gap, change) / std::max(size, 1e-300));
  }

  std::vector<Layer> network(const std::vector<Matrix>& copies) const {
    std::vector<Layer> layers = errors_.unpack(errors_.pack(*layers_) + step_);
    const auto& terms = problem_.weight_terms;
    for (std::size_t t = 0; t < terms.size(); ++t) {
      layers[static_cast<std::size_t>(terms[t].layer) - 1].weights = copies[t];
    }
    for (std::size_t l = 0; l < layers.size(); ++l) {
      project_onto_constraints(terms, static_cast<Index>(l) + 1, layers[l].weights);
    }
    return layers;
  }

  const LiftedProblem& problem_;
  NetworkErrors errors_;
  const std::vector<Layer>* layers_ = nullptr;
  std::vector<Matrix> multipliers_;
  Matrix gram_;
  Vector gradient_, scale_, step_;
  double rho_ = 1;
  Eigen::LLT<Matrix> factor_;
};

}  // namespace

PolishResult polish_constrained(const LiftedProblem& problem, const std::vector<Layer>& layers,
                                const PolishOptions& options) {
  PolishResult result;
  result.layers = layers;
  result.before = result.after = network_loss(problem, layers);
  ConstrainedStep step(problem, layers);
  double damping = kFirstDamping;
  int settled = 0;
  step.linearize(result.layers);
  while (result.iterations < options.max_iterations && settled < kSettledSteps && damping <= kMostDamping) {
    result.interrupted = options.should_stop && options.should_stop();
    if (result.interrupted) break;
    ++result.iterations;
    std::vector<Layer> tried = step.solve(damping);
    const double loss = network_loss(problem, tried);
    if (!(loss < result.after)) {
      damping *= 4;
      continue;
    }
    settled = result.after - loss <= kSettled * result.after ? settled + 1 : 0;
    result.layers = std::move(tried);
    result.after = loss;
    damping = std::max(kLeastDamping, damping / 3);
    step.linearize(result.layers);
  }
  return result;
}

}  // namespace relufit
