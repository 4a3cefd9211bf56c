#include "relufit/weight_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/infinity.h"
#include "constraints/class_outputs.h"
#include "linear_algebra/decompositions.h"
#include "linear_algebra/products.h"
#include "network/units.h"
#include "problem/network_errors.h"
#include "relufit/fit.h"

namespace relufit {

namespace {

constexpr Index kMostWeights = 3000;  // for the quadratic model, whose matrix is dense
constexpr int kRefitSteps = 10;
constexpr int kMostPasses = 20;
constexpr double kDamping = 1e-7;  // of the quadratic model, relative to its diagonal
constexpr double kSlack = 1e-9;    // a bound that is a multiple itself must not be missed for rounding of the quotient

/// Every unit's largest incoming weight becomes as large as its largest outgoing one.
void balance(const LiftedProblem& problem, std::vector<Layer>& layers) {
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    const Index units = problem.network.widths[l + 1];
    for (Index unit = 0; unit < units; ++unit) {
      const double in = layers[l].weights(unit_rows(layers[l], unit, units), Eigen::all).cwiseAbs().maxCoeff();
      const double out = layers[l + 1].weights.col(unit).cwiseAbs().maxCoeff();
      if (in > 0 && out > 0) scale_unit(layers, l, unit, units, std::sqrt(out / in));
    }
  }
}

/// The packed parameters, each with its grid and its bounds, and which of them are on the grid for good.
class GridFit {
 public:
  GridFit(const LiftedProblem& problem, const std::vector<Layer>& layers, double step, const Vector& target_scale,
          const std::vector<WeightTerm>& terms)
      : problem_(problem),
        errors_(problem),
        x_(errors_.pack(layers)),
        grid_(Vector::Constant(x_.size(), step)),
        lower_(Vector::Constant(x_.size(), -kInfinity)),
        upper_(Vector::Constant(x_.size(), kInfinity)),
        free_(static_cast<std::size_t>(x_.size()), true) {
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const Index rows = layers[l].weights.rows();
      const Index cols = layers[l].weights.cols() + (problem.bias ? 1 : 0);
      for (Index i = 0; i < rows; ++i) {
        std::vector<Index>& unit = units_.emplace_back();
        for (Index j = 0; j < cols; ++j) unit.push_back(errors_.offset(l) + i + j * rows);
        // The problem's targets are in units of their scales, and so is the output layer.
        if (l + 1 == layers.size()) grid_(unit).array() /= target_scale(i);
      }
    }
    for (const WeightTerm& term : terms) set_bounds(term, step, target_scale, layers.size());
  }

  double loss() const { return loss_of(x_); }
  const Vector& parameters() const { return x_; }
  void set_parameters(const Vector& parameters) { x_ = parameters; }
  std::vector<Layer> layers() const { return errors_.unpack(x_); }

  void round_all() {
    for (Index q = 0; q < x_.size(); ++q) x_(q) = nearest(q, x_(q));
  }

  void round_unit_by_unit(const std::function<bool()>& stop) {
    for (const std::vector<Index>& unit : units_) {
      if (stop && stop()) return round_all();
      if (errors_.is_least_squares()) refit();
      round_unit(unit);
    }
  }

  void move_by_steps(const std::function<bool()>& stop) {
    double best = loss();
    bool better = true;
    for (int pass = 0; pass < kMostPasses && better; ++pass) {
      better = false;
      for (Index q = 0; q < x_.size(); ++q) {
        if (stop && stop()) return;
        better = move(q, best) || better;
      }
    }
  }

 private:
  void set_bounds(const WeightTerm& term, double step, const Vector& target_scale, std::size_t layers) {
    if (term.kind != WeightTerm::Kind::bounds) return;
    const bool last = term.layer == static_cast<Index>(layers);
    const Index offset = errors_.offset(static_cast<std::size_t>(term.layer) - 1);
    for (Index j = 0; j < term.lower.cols(); ++j) {
      for (Index i = 0; i < term.lower.rows(); ++i) {
        if (std::ceil(term.lower(i, j) / step - kSlack) > std::floor(term.upper(i, j) / step + kSlack)) {
          throw std::invalid_argument(
              fmt::format("weight grid: no multiple of {} from {} to {}, the bounds of layer {}, unit {}, source {}",
                          step, term.lower(i, j), term.upper(i, j), term.layer, i + 1, j + 1));
        }
        const double scale = last ? target_scale(i) : 1;
        lower_(offset + i + j * term.lower.rows()) = term.lower(i, j) / scale;
        upper_(offset + i + j * term.lower.rows()) = term.upper(i, j) / scale;
      }
    }
  }

  double nearest(Index q, double value) const {
    const double least = std::ceil(lower_(q) / grid_(q) - kSlack);
    const double most = std::floor(upper_(q) / grid_(q) + kSlack);
    return std::clamp(std::round(value / grid_(q)), least, most) * grid_(q);
  }

  double loss_of(const Vector& x) const { return network_loss(problem_, errors_.unpack(x)); }

  /// J'J over the free parameters, a little damped, and -J'r.
  void quadratic_model(Matrix& gram, Vector& descent) {
    chosen_.clear();
    for (std::size_t q = 0; q < free_.size(); ++q) {
      if (free_[q]) chosen_.push_back(static_cast<Index>(q));
    }
    Vector values;
    errors_.values(x_, values);
    errors_.jacobian(x_, jacobian_);
    const Matrix columns = jacobian_(Eigen::all, chosen_);
    set_product(gram, columns.transpose(), columns);
    set_product(descent, columns.transpose(), values);
    descent = -descent;
    damp(gram, kDamping);
  }

  static void damp(Matrix& gram, double damping) {
    const double mean = gram.diagonal().mean();
    gram.diagonal() += damping * (gram.diagonal().array() + std::max(1e-3 * mean, 1e-300)).matrix();
  }

  void refit() {
    double best = loss();
    double damping = 1e-3;
    Matrix gram;
    Vector descent;
    for (int i = 0; i < kRefitSteps; ++i) {
      quadratic_model(gram, descent);
      for (bool fell = false; !fell; damping *= 10) {
        if (damping > 1e3) return;
        Matrix damped = gram;
        damp(damped, damping);
        Vector tried = x_;
        tried(chosen_) += damped.llt().solve(descent);
        const double value = loss_of(tried);
        fell = value < best;
        if (!fell) continue;
        const bool settled = best - value < 1e-6 * best;
        x_ = tried;
        best = value;
        damping /= 1000;  // times 10 at the end of this turn
        if (settled) return;
      }
    }
  }

  void round_unit(const std::vector<Index>& unit) {
    Matrix gram;
    Vector descent;
    quadratic_model(gram, descent);
    Matrix inverse = gram.llt().solve(Matrix::Identity(gram.rows(), gram.cols()));
    for (const Index q : unit) {
      const Index at = std::lower_bound(chosen_.begin(), chosen_.end(), q) - chosen_.begin();
      const double value = nearest(q, x_(q));
      const Vector column = inverse.col(at);
      x_(chosen_) += (value - x_(q)) / column(at) * column;
      x_(q) = value;
      free_[static_cast<std::size_t>(q)] = false;
      inverse.noalias() -= column * (column.transpose() / column(at));
      inverse.row(at).setZero();
      inverse.col(at).setZero();
      inverse(at, at) = 1;
    }
  }

  bool move(Index q, double& best) {
    const double value = x_(q);
    for (const double change : {grid_(q), -grid_(q)}) {
      x_(q) = nearest(q, value + change);
      const double tried = x_(q) == value ? best : loss();
      if (tried < best) {
        best = tried;
        return true;
      }
    }
    x_(q) = value;
    return false;
  }

  const LiftedProblem& problem_;
  NetworkErrors errors_;
  Vector x_, grid_, lower_, upper_;
  std::vector<bool> free_;
  std::vector<std::vector<Index>> units_;  // parameters of every unit, layer by layer
  std::vector<Index> chosen_;              // the free ones
  Matrix jacobian_;
};

LiftedProblem raw_problem(const Model& model, const Dataset& data, const Loss& loss) {
  LiftedProblem problem;
  problem.inputs = data.inputs;
  problem.targets = model.target_scaling.scale.cwiseInverse().asDiagonal() * data.targets;
  problem.network = model.network.architecture();
  problem.loss = loss;
  if (loss.kind == Loss::Kind::huber) problem.loss.parameter /= model.target_scaling.scale(0);
  problem.sample_weights = data.sample_weights;
  check(problem);
  return problem;
}

/// The layers in raw units, exactly on the grid.
std::vector<Layer> raw_layers(std::vector<Layer> layers, const Vector& target_scale, double step) {
  layers.back().weights = (target_scale.asDiagonal() * layers.back().weights).eval();
  layers.back().bias = target_scale.cwiseProduct(layers.back().bias);
  for (Layer& layer : layers) {
    layer.weights = (layer.weights / step).array().round().matrix() * step;
    layer.bias = (layer.bias / step).array().round().matrix() * step;
  }
  return layers;
}

}  // namespace

WeightGridResult round_to_grid(const Model& model, const Dataset& data, const Loss& loss, double step,
                               const Constraints& constraints, const std::function<bool()>& should_stop) {
  if (!(std::isfinite(step) && step > 0)) {
    throw std::invalid_argument(fmt::format("weight grid: step {}, expected a number > 0", step));
  }
  LiftedProblem problem = raw_problem(model, data, loss);
  const Vector& scale = model.target_scaling.scale;
  std::vector<Layer> layers = model.folded().layers();
  problem.bias = std::any_of(layers.begin(), layers.end(), [](const Layer& layer) { return !layer.bias.isZero(0); });
  if (constraints.empty() && is_homogeneous(problem.network.activation)) balance(problem, layers);
  layers.back().weights = (scale.cwiseInverse().asDiagonal() * layers.back().weights).eval();
  layers.back().bias = scale.cwiseInverse().cwiseProduct(layers.back().bias);
  const auto terms = weight_terms(constraints, {problem.network, model.input_names, model.target_names,
                                                meaning_of(model.classification, loss, model.target_names)});

  GridFit rounded(problem, layers, step, scale, terms);
  GridFit fit = rounded;
  const auto samples = static_cast<double>(data.samples());
  WeightGridResult result{model, {step, fit.loss() / samples, 0, 0}};
  rounded.round_all();
  result.report.rounded = rounded.loss() / samples;
  Index weights = 0;
  for (const Layer& layer : layers) weights += layer.weights.size() + layer.bias.size();
  if (weights <= kMostWeights) {
    fit.round_unit_by_unit(should_stop);
  } else {
    fit.round_all();
  }
  if (!(fit.loss() < rounded.loss())) fit.set_parameters(rounded.parameters());
  fit.move_by_steps(should_stop);
  result.report.repaired = fit.loss() / samples;
  layers = raw_layers(fit.layers(), scale, step);
  for (const WeightTerm& term : terms) {
    // A decimal multiple can be an ulp beyond a bound that is the same number.
    if (term.kind != WeightTerm::Kind::bounds) continue;
    Matrix& bounded = layers[static_cast<std::size_t>(term.layer) - 1].weights;
    bounded = bounded.cwiseMax(term.lower).cwiseMin(term.upper).eval();
  }
  result.model.network = network_of(problem, std::move(layers));
  result.model.input_scaling = Scaling::identity(problem.network.inputs());
  result.model.target_scaling = Scaling::identity(problem.network.outputs());
  return result;
}

}  // namespace relufit
