// The affine step of the product W H = C of layer l (m = n_l rows, k = n_{l-1} inner units). With V1 = v1 I, V2 = v2 I,
// c = v1 v2, the target block [T11 T12; T21 .], F = [W, b], Y~ = [Y; -1'],
//
//     1/2 d0 ||H - q||^2                        H copy, and the lower left part v2 (H + Y) of M
//   + 1/2 rho_s ||H - Theta U~ - s||^2          only l = 2: S_1 eliminated by the first layer, Theta = [W_1, b_1]
//   + 1/2 kappa ||X H + F Y~ - R||^2            upper left part of M, with C's own unknown (Z, or H_l - S_l) eliminated
//   + 1/2 beta ||W - G||^2                      upper right part v1 (W + X) of M, and the ridge
//
//     d0 = rho_h + rho_p v2^2,   R = T11 / c - X Y - D~,   beta = rho_p v1^2 + ridge
//     D~ = target of Z or of H_l - S_l, mu its weight (infinite for an exact linear output): kappa = 1 / (1/(rho_p c^2)
//     + 1/mu)
//
// (1) Theta: the best Theta leaves rho_s (1 - gamma_j) on the directions q_j of the row space of U~ (row_space.h),
// rho_s on
//     its complement. So direction j has weight d_j = d0 + rho_s (1 - gamma_j) on H, the complement d = d0 + rho_s,
//     with minimizer  Q(H) = full / d + sum_j c_j q_j',  full = d0 q + rho_s s.
// (2) H: with X X' = V diag(sigma) V', eliminating H leaves kappa d_j / (d_j + kappa sigma_i) =: omega_ij on row i of
//     V'(F Y~ - (R - X Q)): output directions i decouple.
// (3) F: one (k + 1) x (k + 1) system per i,  A_i = omega_i Y~Y~' + sum_j (omega_ij - omega_i) y_j y_j' + beta
// diag(1..1, 0),
//     y_j = Y~ q_j, constant while parameters and penalties are.
// (4) back: e = X Q + F Y~ - R,  H = Q - X'V g V'e  with g_ij = kappa / (d_j + kappa sigma_i).
//
// Copies of weights (weight terms) pull W to their mean with weight p. From the second layer on that adds p to beta and
// p times the mean to beta G. In the first layer, ridge/2 ||W_1||^2 + p/2 ||W_1 - mean||^2 is (ridge + p)/2 ||W_1 -
// W*||^2 but for a constant, W* = p mean / (ridge + p): with P = W* (U - u 1') Q, everything above holds for W_1 - W*
// with the slack's target s + P Q' in place of s and the ridge ridge + p.
// Without biases b = 0: the unknown of F is kept, its equation replaced by b_i = 0.
//
// Skip connections, F = [W, b, G]: the layer's further weights V act on data, V U + b 1' = V (U - u 1') + (b + V u) 1',
// so they are unknowns like the bias, Y~ = [Y; -1'; -Qc'] with V (U - u 1') = G Qc'. The least V for a G is
// G diag(1/s) L' (row_space.h), so that the ridge on V is one with the weights ridge / s_j^2 on the columns of G; a
// pull on V adds p to the ridge and centers it at V* as in the first layer, V = V* + (G - V* L diag(s)) diag(1/s) L'.
//
// The sums over samples are full Y~', R Y~', full Q, s Q, R Q: matrices whose size does not depend on N.

#include "subproblem/affine/product_step.h"

#include <limits>

#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"

namespace relufit {

ProductStep::ProductStep(const LiftedProblem& problem, const UnitCopies& units, std::size_t index, const RowSpace* rows,
                         const Chunks& chunks, Index workers)
    : problem_(problem),
      units_(units),
      index_(index),
      rows_(rows),
      coupled_(values_are_shared(problem, index + 1)),
      m_(problem.network.layers()[index + 1].rows),
      k_(problem.network.widths[index + 1]),
      rank_(coupled_ ? rows->rank() : 0),
      skipped_(problem.network.skip_connections ? rows->singular_values().size() : 0),
      last_(index + 1 == static_cast<std::size_t>(problem.network.hidden_layers())),
      sums_by_chunk_(chunks, sum_size()),
      scratch_(static_cast<std::size_t>(workers),
               {Matrix(k_, Chunks::block), Matrix(m_, Chunks::block), Matrix(m_, Chunks::block)}),
      total_(Vector::Zero(sum_size())),
      sums_(sums_at(total_.data())),
      correction_(k_, rank_),
      residual_q_(m_, rank_),
      rotated_q_(m_, rank_),
      rotated_f_(m_, features()),
      y_rows_(features(), rank_),
      xy_(m_, problem.samples()),
      gamma_(Vector::Ones(rank_)),
      omega_rows_(m_, rank_),
      g_rows_(m_, rank_) {
  layer_.weights = Matrix::Zero(m_, problem.network.layers()[index + 1].columns);
  layer_.bias = Vector::Zero(m_);
  pull_q_.setZero(k_, rank_);
  if (coupled()) first_layer_ = {Matrix::Zero(k_, problem.network.widths[0]), Vector::Zero(k_)};
}

ProductStep::Sums ProductStep::sums_at(double* data) const {
  const auto take = [&](Index rows, Index columns) {
    double* const part = data;
    data += rows * columns;
    return Sums::Part(part, rows, columns);
  };
  return {take(k_, features()), take(m_, features()), take(k_, rank_), take(k_, rank_), take(m_, rank_)};
}

void ProductStep::set(const RelaxationParameters& parameters, const Penalties& penalties) {
  parameters_ = &parameters.product[index_];
  y_ = &parameters.values(index_);
  set_weights(penalties);
  const Matrix& x = parameters_->x;
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(product(x, x.transpose()));
  v_ = eigen.eigenvectors();
  const Vector sigma = eigen.eigenvalues().cwiseMax(0.0);
  xhat_ = product(v_.transpose(), x);
  omega_ = kappa_ * d_ / (d_ + kappa_ * sigma.array());
  g_ = kappa_ / (d_ + kappa_ * sigma.array());
  for (Index j = 0; j < rank_; ++j) {
    omega_rows_.col(j) = kappa_ * d_rows_(j) / (d_rows_(j) + kappa_ * sigma.array());
    g_rows_.col(j) = kappa_ / (d_rows_(j) + kappa_ * sigma.array());
  }
  gain_.noalias() = xhat_.transpose() * g_.asDiagonal() * v_.transpose();
}

// X Y, and what Y contributes to Y Y~' and Y Q, which take the places of full's.
void ProductStep::accumulate_parameters(const Block& block) {
  const auto columns = [&](auto&& matrix) { return matrix.middleCols(block.begin, block.size); };
  const auto y = columns(*y_);
  set_product(columns(xy_), parameters_->x, y);
  Sums sums = sums_at(sums_by_chunk_.data(block.chunk));
  add_product(sums.full_y.leftCols(k_), y, y.transpose());
  sums.full_y.col(k_) -= y.rowwise().sum();
  if (skips()) subtract_product(sums.full_y.rightCols(skipped_), y, columns(rows_->input_basis()).transpose());
  if (coupled()) add_product(sums.full_q, y, columns(rows_->basis()).transpose());
}

void ProductStep::accumulate(const Copies& target, const Block& block) {
  const auto columns = [&](auto&& matrix) { return matrix.middleCols(block.begin, block.size); };
  Scratch& my = scratch_[static_cast<std::size_t>(block.worker)];
  Sums sums = sums_at(sums_by_chunk_.data(block.chunk));
  auto full = my.inner.leftCols(block.size);
  auto r = my.outer.leftCols(block.size);
  set_full(target, block, 1, full);
  set_r(target, block, r);
  const auto y = columns(*y_);
  add_product(sums.full_y.leftCols(k_), full, y.transpose());
  sums.full_y.col(k_) -= full.rowwise().sum();
  add_product(sums.r_y.leftCols(k_), r, y.transpose());
  sums.r_y.col(k_) -= r.rowwise().sum();
  if (skips()) {
    const auto inputs = columns(rows_->input_basis());
    subtract_product(sums.full_y.rightCols(skipped_), full, inputs.transpose());
    subtract_product(sums.r_y.rightCols(skipped_), r, inputs.transpose());
  }
  if (!coupled()) return;
  const auto basis = columns(rows_->basis());
  add_product(sums.full_q, full, basis.transpose());
  add_product(sums.slack_q, columns(target.slack[index_]), basis.transpose());
  add_product(sums.r_q, r, basis.transpose());
}

void ProductStep::solve(const Copies& target) {
  total_ = sums_by_chunk_.total();
  set_pulls(target);
  // With P: the targets that full stands for have moved by rho_s P Q', which goes into the correction.
  for (Index j = 0; j < rank_; ++j) {
    correction_.col(j) =
        (sums_.full_q.col(j) + slack_penalty_ * pull_q_.col(j) - slack_penalty_ * gamma_(j) * sums_.slack_q.col(j)) /
            d_rows_(j) -
        sums_.full_q.col(j) / d_;
  }
  minimizer_y_ = sums_.full_y / d_;
  add_product(minimizer_y_, correction_, y_rows_.transpose());
  minimizer_q_ = sums_.full_q / d_ + correction_;
  solve_weights(target);
  if (coupled()) solve_first_layer();
}

void ProductStep::recover_shared(Copies& image) const {
  image.block_right[index_].topRows(m_) = parameters_->left_scale * (layer_.weights.leftCols(k_) + parameters_->x);
  image.block_right[index_].bottomRows(k_).setIdentity();
}

void ProductStep::set_weights(const Penalties& penalties) {
  const double v1 = parameters_->left_scale;
  const double v2 = parameters_->right_scale;
  product_ = penalties.product;
  c_ = v1 * v2;
  h_penalty_ = penalties.pair * (coupled() ? 1 : units_.value_penalty());
  slack_penalty_ = coupled() ? penalties.pair : 0.0;
  pull_.penalty = WeightPull::penalty_of(problem_, penalties, static_cast<Index>(index_) + 2);
  beta_ = product_ * v1 * v1 + problem_.ridge + pull_.penalty;
  if (skips()) skip_ridge_ = (problem_.ridge + pull_.penalty) * rows_->singular_values().array().square().inverse();
  const double block_weight = product_ * c_ * c_;
  if (last_) {
    const double loss_weight = problem_.loss == Loss::exact ? std::numeric_limits<double>::infinity() : 1.0;
    mu_ = output_is_copied(problem_) ? static_cast<double>(output_copies(problem_)) * penalties.output : loss_weight;
  } else {
    mu_ = penalties.pair * units_.argument_penalty();
  }
  kappa_ = 1 / (1 / block_weight + 1 / mu_);
  eta_ = 1 / (1 + mu_ / block_weight);
  d_ = h_penalty_ + product_ * v2 * v2 + slack_penalty_;
  if (!coupled()) return;
  first_pull_.penalty = WeightPull::penalty_of(problem_, penalties, 1);
  shrinkage_ = (problem_.ridge + first_pull_.penalty) / slack_penalty_;
  rows_->shrinkage(shrinkage_, gamma_);
  d_rows_ = (d_ - slack_penalty_ * gamma_.array()).matrix();
}

void ProductStep::factorize() {
  total_ = sums_by_chunk_.total();
  Matrix gram = Matrix::Zero(features(), features());
  gram.topRows(k_) = sums_.full_y;
  gram.leftCols(k_).bottomRows(features() - k_) = sums_.full_y.rightCols(features() - k_).transpose();
  gram(k_, k_) = static_cast<double>(problem_.total_samples());
  if (skips()) {
    gram.row(k_).tail(skipped_) = rows_->input_basis_sums().transpose();
    gram.col(k_).tail(skipped_) = rows_->input_basis_sums();
    gram.bottomRightCorner(skipped_, skipped_).setIdentity();
  }
  if (coupled()) {
    y_rows_.topRows(k_) = sums_.full_q;
    y_rows_.row(k_) = -rows_->basis_sums().transpose();
    y_rows_.bottomRows(skipped_).setZero();
    y_rows_.bottomRightCorner(skipped_, skipped_) = -Matrix::Identity(skipped_, skipped_);
  }
  factors_.resize(static_cast<std::size_t>(m_));
  for (Index i = 0; i < m_; ++i) {
    Matrix system = omega_(i) * gram;
    if (coupled()) {
      system.noalias() +=
          y_rows_ * (omega_rows_.row(i).array() - omega_(i)).matrix().asDiagonal() * y_rows_.transpose();
    }
    system.diagonal().head(k_).array() += beta_;
    if (skips()) system.diagonal().tail(skipped_) += skip_ridge_;
    if (!problem_.bias) {
      system.row(k_).setZero();
      system.col(k_).setZero();
      system(k_, k_) = 1;
    }
    factors_[static_cast<std::size_t>(i)].compute(system);
  }
}

// factor full = factor (d0 q + rho_s s)
template <class Columns>
void ProductStep::set_full(const Copies& target, Range block, double factor, Columns& full) const {
  const double v2 = parameters_->right_scale;
  const double below = factor * product_ * v2;
  const auto h = entries(coupled() ? target.active[index_] : target.values[index_], block);
  auto to = entries(full, {0, block.size});
  to = (factor * h_penalty_) * h - (below * v2) * entries(*y_, block);
  if (coupled()) to += (factor * slack_penalty_) * entries(target.slack[index_], block);
  full += below * target.block_left[index_].middleCols(block.begin, block.size).bottomRows(k_);
}

// R = T11 / c - X Y - D~
template <class Columns>
void ProductStep::set_r(const Copies& target, Range block, Columns& r) const {
  r = target.block_left[index_].middleCols(block.begin, block.size).topRows(m_) / c_ -
      xy_.middleCols(block.begin, block.size);
  if (!last_) {
    units_.add_arguments(target.active[index_ + 1].middleCols(block.begin, block.size),
                         target.slack[index_ + 1].middleCols(block.begin, block.size),
                         linear_of(target, index_ + 1, block), -1, r);
  } else if (output_is_copied(problem_)) {
    target.add_mean_output(block, -1, r);
  } else {
    r -= problem_.targets.middleCols(block.begin, block.size);
  }
}

void ProductStep::set_pulls(const Copies& target) {
  pull_.set_mean(problem_, target, static_cast<Index>(index_) + 2);
  if (skips() && pull_.penalty > 0) {
    skip_mean_ = pull_.penalty / (problem_.ridge + pull_.penalty) * pull_.mean.rightCols(problem_.inputs.rows());
    rows_->project(skip_mean_, skip_target_);
  }
  if (!coupled() || first_pull_.penalty == 0) return;
  first_pull_.set_mean(problem_, target, 1);
  first_pull_.mean *= first_pull_.penalty / (problem_.ridge + first_pull_.penalty);
  rows_->project(first_pull_.mean, pull_q_);
  sums_.slack_q += pull_q_;
}

void ProductStep::solve_weights(const Copies& target) {
  // Rows of V'(R - X Q) against Y~ and the row space.
  set_product(rotated_r_y_, v_.transpose(), sums_.r_y);
  subtract_product(rotated_r_y_, xhat_, minimizer_y_);
  set_product(rotated_r_q_, v_.transpose(), sums_.r_q);
  subtract_product(rotated_r_q_, xhat_, minimizer_q_);

  const double v1 = parameters_->left_scale;
  weight_target_ = (product_ * v1) * target.block_right[index_].topRows(m_) - (product_ * v1 * v1) * parameters_->x;
  if (pull_.penalty > 0) weight_target_ += pull_.penalty * pull_.mean.leftCols(k_);
  rotated_y_.noalias() = omega_.asDiagonal() * rotated_r_y_;
  rotated_q_.array() = rotated_r_q_.array() * (omega_rows_.array().colwise() - omega_.array());
  add_product(rotated_y_, rotated_q_, y_rows_.transpose());
  set_product(rotated_weight_target_, v_.transpose(), weight_target_);
  rotated_y_.leftCols(k_) += rotated_weight_target_;
  if (skips() && pull_.penalty > 0) {
    skip_basis_ = skip_target_.rightCols(skipped_) * skip_ridge_.asDiagonal();
    add_product(rotated_y_.rightCols(skipped_), v_.transpose(), skip_basis_);
  }
  if (!problem_.bias) rotated_y_.col(k_).setZero();
  for (Index i = 0; i < m_; ++i) {
    auto row = rotated_f_.row(i).transpose();
    row = rotated_y_.row(i).transpose();
    factors_[static_cast<std::size_t>(i)].solveInPlace(row);
  }
  set_product(f_, v_, rotated_f_);
  set_layer();
}

/// The layer from F.
void ProductStep::set_layer() {
  layer_.weights.leftCols(k_) = f_.leftCols(k_);
  if (problem_.bias) layer_.bias = f_.col(k_);
  if (!skips()) return;
  const bool pulled = pull_.penalty > 0;
  skip_basis_ = f_.rightCols(skipped_);
  if (pulled) skip_basis_ -= skip_target_.rightCols(skipped_);
  rows_->input_weights(skip_basis_, skip_weights_);
  if (pulled) skip_weights_ += skip_mean_;
  layer_.weights.rightCols(skip_weights_.cols()) = skip_weights_;
  if (problem_.bias) subtract_product(layer_.bias, skip_weights_, rows_->mean());
}

// H in the row space, from which the first layer and S_1 follow.
void ProductStep::solve_first_layer() {
  rotated_residual_q_ = -rotated_r_q_;
  add_product(rotated_residual_q_, rotated_f_, y_rows_);
  preactivation_q_ = minimizer_q_ - sums_.slack_q;
  residual_q_.array() = g_rows_.array() * rotated_residual_q_.array();
  subtract_product(preactivation_q_, xhat_.transpose(), residual_q_);
  rows_->weights(preactivation_q_, shrinkage_, first_layer_);
  shrunk_q_.noalias() = preactivation_q_ * gamma_.asDiagonal();
  if (first_pull_.penalty > 0) {
    first_layer_.weights += first_pull_.mean;
    subtract_product(first_layer_.bias, first_pull_.mean, rows_->mean());
    shrunk_q_ += pull_q_;
  }

  residual_q_.array() = (g_rows_.array().colwise() - g_.array()) * rotated_residual_q_.array();
  shift_ = correction_;
  subtract_product(shift_, xhat_.transpose(), residual_q_);
  set_product(correction_x_, parameters_->x, correction_);
}

void ProductStep::recover(const Copies& target, const Block& block, Copies& image) const {
  const auto columns = [&](auto&& matrix) { return matrix.middleCols(block.begin, block.size); };
  const auto first = [&](auto&& matrix) { return matrix.leftCols(block.size); };
  Scratch& my = scratch_[static_cast<std::size_t>(block.worker)];
  auto h = first(coupled() ? image.active[index_] : image.values[index_]);
  auto e = first(my.outer);
  auto rest = first(my.rest);  // F Y~ - R
  set_full(target, block, 1 / d_, h);
  set_r(target, block, rest);

  const Matrix& x = parameters_->x;
  const auto y = columns(*y_);
  rest = -rest;
  add_product(rest, f_.leftCols(k_), y);
  rest.colwise() -= f_.col(k_);
  if (skips()) subtract_product(rest, f_.rightCols(skipped_), columns(rows_->input_basis()));
  e = rest;
  add_product(e, x, h);
  if (coupled()) add_product(e, correction_x_, columns(rows_->basis()));

  subtract_product(h, gain_, e);
  if (coupled()) {
    add_product(h, shift_, columns(rows_->basis()));
    auto slack = first(image.slack[index_]);
    entries(slack, {0, block.size}) = entries(h, {0, block.size});
    subtract_product(slack, shrunk_q_, columns(rows_->basis()));
  }
  // The residual of the upper left part at the solution: X H + F Y~ - R.
  e = rest;
  add_product(e, x, h);

  auto left = first(image.block_left[index_]);
  left.topRows(m_) = columns(target.block_left[index_]).topRows(m_) + (c_ * (1 - eta_)) * e;
  left.bottomRows(k_) = parameters_->right_scale * (h + y);
  if (!last_) {
    const auto active = columns(target.active[index_ + 1]);
    const auto slack = columns(target.slack[index_ + 1]);
    e *= -eta_;
    units_.add_arguments(active, slack, linear_of(target, index_ + 1, block), 1, e);
    units_.follow(active, slack, e, first(image.active[index_ + 1]), first(image.slack[index_ + 1]),
                  linear_of(image, index_ + 1, {0, block.size}));
  } else if (output_is_copied(problem_)) {
    auto output = first(image.output());
    output.setZero();
    target.add_mean_output(block, 1, output);
    output -= eta_ * e;
    image.share_output({0, block.size});
  } else {
    first(image.output()) = columns(problem_.targets) - eta_ * e;
  }
}

}  // namespace relufit
