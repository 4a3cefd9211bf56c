/// \file
/// The space of local copies, in which the relaxation separates.
#pragma once

#include <tuple>
#include <type_traits>
#include <vector>

#include "parallel/chunks.h"
#include "relufit/penalties.h"
#include "relufit/relaxation.h"

namespace relufit {

/// Whether H_l serves as output of its layer and as input of the next product: the first layer of a ReLU network.
inline bool values_are_shared(const LiftedProblem& problem, std::size_t layer) {
  return layer == 1 && problem.network.activation == Activation::relu;
}

/// How many copies Z has: the first for the loss and its bounds, a copy only where output_is_copied, and one for each
/// of the problem's output terms.
inline Index output_copies(const LiftedProblem& problem) { return static_cast<Index>(problem.output_terms.size()) + 1; }

/// One vector of that space: contiguous, with one part per hidden layer l = 1..D (index l - 1) or product layer l
/// = 2..L (index l - 2). Columns are samples unless said otherwise.
class Copies {
 public:
  using Part = Eigen::Map<Matrix>;

  std::vector<Part> active;      ///< H_l, (pieces n_l) x N, as output of the layer's own affine map
  std::vector<Part> slack;       ///< S_l, likewise
  std::vector<Part> linear;      ///< P_l, n_l x N, as output likewise; empty but for maxout
  std::vector<Part> values;      ///< the units' values as input of product l + 1, n_l x N; empty where H_l serves both
  std::vector<Part> block_left;  ///< first N columns of M_l: [V1 (C + ...) V2; (B + Y) V2], (rows of W_l + n_{l-1}) x N
  std::vector<Part> block_right;  ///< last n_{l-1} columns of M_l: [V1 (A + X); I]
  std::vector<Part> weights;      ///< W_l of each of the problem's weight terms
  std::vector<Part> outputs;      ///< Z, nL x N, as many as output_copies

  explicit Copies(const LiftedProblem& problem) : Copies(problem, problem.samples()) {}
  /// For some samples only.
  Copies(const LiftedProblem& problem, Index samples) : Copies(problem, samples, true) {}
  /// H_l and S_l lie in the point's own, which must have the problem's shapes.
  Copies(const LiftedProblem& problem, LiftedPoint& point) : Copies(problem, problem.samples(), false) {
    for (std::size_t i = 0; i < point.active.size(); ++i) {
      active.emplace_back(point.active[i].data(), point.active[i].rows(), point.active[i].cols());
      slack.emplace_back(point.slack[i].data(), point.slack[i].rows(), point.slack[i].cols());
    }
  }
  Copies(const Copies&) = delete;
  Copies& operator=(const Copies&) = delete;

  std::size_t hidden_layers() const { return active.size(); }
  Part& output() { return outputs.front(); }
  const Part& output() const { return outputs.front(); }

  /// sum += factor times the mean of the copies of Z: with the penalty rho_z times their number it stands for all of
  /// them.
  template <class Block>
  void add_mean_output(Range samples, double factor, Block&& sum) const {
    const double share = factor / static_cast<double>(outputs.size());
    for (const Part& part : outputs) sum += share * part.middleCols(samples.begin, samples.size);
  }
  /// Makes all copies of Z of these samples equal to the first.
  void share_output(Range samples) {
    const auto first = output().middleCols(samples.begin, samples.size);
    for (std::size_t i = 1; i < outputs.size(); ++i) outputs[i].middleCols(samples.begin, samples.size) = first;
  }
  Vector& data() { return data_; }
  const Vector& data() const { return data_; }

 private:
  Copies(const LiftedProblem& problem, Index samples, bool own_pairs) {
    const auto& n = problem.network.widths;
    const auto pieces = static_cast<Index>(lift_of(problem.network.activation).pieces.size());
    const auto value_rows = [&](std::size_t l) { return values_are_shared(problem, l) ? 0 : n[l]; };
    const Index linear_samples = problem.network.activation == Activation::maxout ? samples : 0;
    const std::vector<LayerShape> shapes = problem.network.layers();
    Index size = output_copies(problem) * n.back() * samples;
    for (std::size_t l = 1; l + 1 < n.size(); ++l) {
      size += ((own_pairs ? 2 : 0) * pieces * n[l] + value_rows(l)) * samples + n[l] * linear_samples +
              (shapes[l].rows + n[l]) * (samples + n[l]);
    }
    const auto shape_of = [&](const WeightTerm& term) { return shapes[static_cast<std::size_t>(term.layer) - 1]; };
    for (const WeightTerm& term : problem.weight_terms) size += shape_of(term).rows * shape_of(term).columns;
    data_.setZero(size);
    double* at = data_.data();
    const auto take = [&at](std::vector<Part>& family, Index rows, Index cols) {
      family.emplace_back(at, rows, cols);
      at += rows * cols;
    };
    for (std::size_t l = 1; l + 1 < n.size(); ++l) {
      if (own_pairs) take(active, pieces * n[l], samples);
      take(values, value_rows(l), value_rows(l) == 0 ? 0 : samples);
      if (own_pairs) take(slack, pieces * n[l], samples);
      take(linear, linear_samples > 0 ? n[l] : 0, linear_samples);
      take(block_left, shapes[l].rows + n[l], samples);
      take(block_right, shapes[l].rows + n[l], n[l]);
    }
    for (const WeightTerm& term : problem.weight_terms) take(weights, shape_of(term).rows, shape_of(term).columns);
    for (Index i = 0; i < output_copies(problem); ++i) take(outputs, n.back(), samples);
  }

  Vector data_;
};

/// The columns of P_l (index l - 1) of these samples; nothing but for maxout.
template <class AnyCopies>
auto linear_of(AnyCopies& copies, std::size_t index, Range samples) {
  const bool has = copies.linear[index].size() > 0;
  return copies.linear[index].middleCols(has ? samples.begin : 0, has ? samples.size : 0);
}

/// The entries of consecutive columns, one after another: columns are short, and going through each of them takes
/// longer than what is done there.
template <class AnyMatrix>
auto entries(AnyMatrix&& matrix, Range columns) {
  using Entries =
      std::conditional_t<std::is_const_v<std::remove_reference_t<decltype(*matrix.data())>>, const Vector, Vector>;
  return Eigen::Map<Entries>(matrix.data() + columns.begin * matrix.rows(), columns.size * matrix.rows());
}

/// What a copy is of; each family has a penalty of its own.
enum class Family { pair, product, output, weight };

inline double of(const Penalties& penalties, Family family) {
  switch (family) {
    case Family::pair:
      return penalties.pair;
    case Family::product:
      return penalties.product;
    case Family::output:
      return penalties.output;
    case Family::weight:
      break;
  }
  return penalties.weight;
}

/// Calls visit(family, by_sample, part, ...) for every copy, with the same part of each of the given points. by_sample:
/// whether its columns are samples.
template <class Visit, class... Points>
void for_each_part(bool with_output, Visit&& visit, Points&... points) {
  const auto& first = std::get<0>(std::tie(points...));
  for (std::size_t i = 0; i < first.hidden_layers(); ++i) {
    visit(Family::pair, true, points.active[i]...);
    if (first.values[i].size() > 0) visit(Family::pair, true, points.values[i]...);
    visit(Family::pair, true, points.slack[i]...);
    if (first.linear[i].size() > 0) visit(Family::pair, true, points.linear[i]...);
    visit(Family::product, true, points.block_left[i]...);
    visit(Family::product, false, points.block_right[i]...);
  }
  for (std::size_t i = 0; i < first.weights.size(); ++i) visit(Family::weight, false, points.weights[i]...);
  for (std::size_t i = 0; with_output && i < first.outputs.size(); ++i) {
    visit(Family::output, true, points.outputs[i]...);
  }
}

/// The penalty of weight copies is Penalties::weight times the samples: weights act on all of them.
inline double weight_penalty(const LiftedProblem& problem, const Penalties& penalties) {
  return penalties.weight * static_cast<double>(problem.total_samples());
}

/// What the copies of the weights of one layer are to the affine step: penalty/2 ||W - mean||^2.
struct WeightPull {
  double penalty = 0;  ///< sum of the penalties of the layer's copies; 0 where there are none
  Matrix mean;         ///< of the copies' targets; empty where there are none

  static double penalty_of(const LiftedProblem& problem, const Penalties& penalties, Index layer) {
    double sum = 0;
    for (const WeightTerm& term : problem.weight_terms) {
      if (term.layer == layer) sum += weight_penalty(problem, penalties);
    }
    return sum;
  }

  /// Sets `mean` from the targets; `penalty` is that of penalty_of.
  void set_mean(const LiftedProblem& problem, const Copies& target, Index layer) {
    if (penalty == 0) return;
    Index count = 0;
    for (std::size_t i = 0; i < target.weights.size(); ++i) {
      if (problem.weight_terms[i].layer != layer) continue;
      if (count++ == 0) {
        mean = target.weights[i];
      } else {
        mean += target.weights[i];
      }
    }
    mean /= static_cast<double>(count);
  }
};

/// Whether Z is a copy, whose proximal map is that of the loss. It is not where a linear output of a hidden layer is
/// data (exact loss) or the loss the same quadratic for all samples, which the affine step takes in, and it has no
/// bounds.
inline bool output_is_copied(const LiftedProblem& problem) {
  const bool quadratic = problem.loss == Loss::squared && problem.sample_weights.size() == 0;
  return problem.network.output == OutputActivation::relu || problem.network.hidden_layers() == 0 ||
         problem.constrains_outputs() || !(problem.loss == Loss::exact || quadratic);
}

}  // namespace relufit
