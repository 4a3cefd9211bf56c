/// \file
/// The affine step of one product W H = C: see product_step.cpp.
#pragma once

#include "linear_algebra/decompositions.h"
#include "parallel/chunks.h"
#include "subproblem/affine/row_space.h"
#include "subproblem/copies/copies.h"
#include "subproblem/copies/unit_copies.h"

namespace relufit {

/// Of layers index + 1 -> index + 2. Per iteration as an AffineStep.
class ProductStep {
 public:
  /// `rows`: the row space of the data, where they are part of the step: the inner units are those of a first hidden
  /// layer whose H is shared (values_are_shared), or there are skip connections; else null.
  ProductStep(const LiftedProblem& problem, const UnitCopies& units, std::size_t index, const RowSpace* rows,
              const Chunks& chunks, Index workers);
  ProductStep(ProductStep&&) = default;  // not copied: sums_ lies in total_

  /// Keeps references to the parameters.
  void set(const RelaxationParameters& parameters, const Penalties& penalties);
  void accumulate_parameters(const Block& block);
  void factorize();
  void clear(Index chunk) { sums_by_chunk_.clear(chunk); }
  void accumulate(const Copies& target, const Block& block);
  void solve(const Copies& target);
  void recover(const Copies& target, const Block& block, Copies& image) const;
  void recover_shared(Copies& image) const;

  const Layer& layer() const { return layer_; }
  const Layer& first_layer() const { return first_layer_; }

 private:
  /// The sums over samples where they lie, one after the other.
  struct Sums {
    using Part = Eigen::Map<Matrix>;
    Part full_y, r_y;           // k x f, m x f, f the features of Y~
    Part full_q, slack_q, r_q;  // k x rank, k x rank, m x rank
  };
  struct Scratch {
    Matrix inner, outer, rest;  // one block of samples, k, m and m rows
  };

  bool coupled() const { return coupled_; }
  Index sum_size() const { return (k_ + m_) * features() + (2 * k_ + m_) * rank_; }
  Sums sums_at(double* data) const;
  bool skips() const { return problem_.network.skip_connections; }
  Index features() const { return k_ + 1 + skipped_; }
  void set_weights(const Penalties& penalties);
  template <class Columns>
  void set_full(const Copies& target, Range block, double factor, Columns& full) const;
  template <class Columns>
  void set_r(const Copies& target, Range block, Columns& r) const;
  void set_pulls(const Copies& target);
  void solve_weights(const Copies& target);
  void set_layer();
  void solve_first_layer();

  const LiftedProblem& problem_;
  const UnitCopies& units_;
  std::size_t index_;     // product of layers index + 1 -> index + 2
  const RowSpace* rows_;  // of the data
  bool coupled_;          // the inner units are those of a first hidden layer whose H is shared
  Index m_, k_, rank_;    // rank 0 unless coupled
  Index skipped_;         // q, the dimensions of the inputs that skip to this layer
  bool last_;
  const ProductParameters* parameters_ = nullptr;
  const Matrix* y_ = nullptr;

  double product_ = 0, c_ = 0, h_penalty_ = 0, slack_penalty_ = 0, beta_ = 0, d_ = 0;
  double mu_ = 0, kappa_ = 0, shrinkage_ = 0;
  double eta_ = 0;  // how much of the residual the eliminated unknown of C takes

  ChunkSums sums_by_chunk_;
  mutable std::vector<Scratch> scratch_;  // by thread
  Vector total_;
  Sums sums_;  // in it
  Matrix correction_, correction_x_, gain_, shift_, residual_q_, rotated_residual_q_, preactivation_q_, shrunk_q_;
  Matrix minimizer_y_, minimizer_q_, rotated_y_, rotated_r_y_, rotated_q_, rotated_r_q_;
  Matrix weight_target_, rotated_weight_target_, rotated_f_, f_;
  Matrix y_rows_;  // Y~ Q
  Matrix v_, xhat_, xy_;
  Vector gamma_, d_rows_, omega_;
  Matrix omega_rows_;
  Vector g_;
  Matrix g_rows_;
  std::vector<Eigen::LLT<Matrix>> factors_;
  WeightPull pull_, first_pull_;  // on [W_l, V_l] of the product; on W_1, its mean being W*
  Vector skip_ridge_;             // diagonal of the ridge on G
  Matrix skip_mean_, skip_target_, skip_basis_, skip_weights_;  // V*, V* L diag(s), an m x q scratch, V
  Matrix pull_q_;                                               // P
  Layer layer_, first_layer_;
};

}  // namespace relufit
