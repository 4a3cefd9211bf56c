// Plain networks of any depth and activation. A random unit has arguments of standard deviation 1 that are 0 at a
// random sample. Where it takes the place of another, what it feeds begins with weight 0: only the other's part is
// lost.

#include <cmath>

#include "exact_fit/deep_fit.h"
#include "exact_fit/iterated_search.h"
#include "exact_fit/searches.h"
#include "network/layer_values.h"
#include "relufit/polish.h"

namespace relufit {

namespace {

class NetworkFitting {
 public:
  using Model = std::vector<Layer>;
  static constexpr Index kDraws = 5;

  NetworkFitting(const LiftedProblem& problem, const SearchOptions& options) : problem_(problem), fit_(problem) {
    fit_options_.max_iterations = 200;
    fit_options_.race_interval = 10;
    fit_options_.race_factor = 0.9;
    fit_options_.tolerance = std::min(kFitTolerance, kFitShare * options.tolerance);
    for (std::size_t l = 1; l + 1 < problem.network.widths.size(); ++l) units_ += problem.network.widths[l];
  }

  std::vector<Layer> random_model(Random& random) const {
    std::vector<Layer> layers = zero_point(problem_).layers;
    Matrix values = problem_.inputs;
    for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
      for (Index row = 0; row < layers[l].weights.rows(); ++row) randomize(random, values, row, layers[l]);
      values = seen_after(layers[l], values);
    }
    Layer& last = layers.back();
    const double size = 1 / std::sqrt(std::max(values.squaredNorm() / static_cast<double>(values.cols()), 1e-300));
    last.weights = size * random.normal(last.weights.rows(), last.weights.cols());
    return layers;
  }

  void replace_random_unit(Random& random, std::vector<Layer>& layers) const {
    Index unit = random.index(units_);
    std::size_t l = 0;
    for (; unit >= problem_.network.widths[l + 1]; ++l) unit -= problem_.network.widths[l + 1];
    Matrix values = problem_.inputs;
    for (std::size_t below = 0; below < l; ++below) values = seen_after(layers[below], values);
    for (Index row = unit; row < layers[l].weights.rows(); row += problem_.network.widths[l + 1]) {
      randomize(random, values, row, layers[l]);
    }
    layers[l + 1].weights.col(unit).setZero();
  }

  double fit(std::vector<Layer>& layers, const std::function<bool()>& stop) {
    fit_options_.should_stop = stop;
    Vector parameters = fit_.errors().pack(layers);
    const double residual = fit_.run(parameters, fit_options_);
    layers = fit_.errors().unpack(parameters);
    return residual;
  }

  /// First with the corners of the activations rounded off (smooth_activation.h), by widths that fall from the size of
  /// the random units' arguments to nothing: descents of the residual itself more often end in a kink.
  double fit_random(std::vector<Layer>& layers, const std::function<bool()>& stop) {
    UnitFitOptions quick = fit_options_;
    quick.should_stop = stop;
    quick.max_iterations = kSmoothIterations;
    Vector parameters = fit_.errors().pack(layers);
    for (const double width : kWidths) {
      fit_.errors().set_smoothing(width);
      fit_.run(parameters, quick);
    }
    fit_.errors().set_smoothing(0);
    layers = fit_.errors().unpack(parameters);
    return fit(layers, stop);
  }

  /// To rounding: normal equations leave about the square root of it.
  std::vector<Layer> exact(const std::vector<Layer>& layers) const { return polish(problem_, layers).layers; }

  std::vector<Layer> nearest(const std::vector<Layer>& layers, bool in_haste) const {
    return in_haste ? layers : polish(problem_, layers).layers;
  }

 private:
  static constexpr double kWidths[] = {1, 0.3, 0.09, 0.027};
  static constexpr Index kSmoothIterations = 10;  // for each width
  static constexpr double kFitTolerance = 1e-11;
  static constexpr double kFitShare = 1e-2;

  /// What the layer after `layer` sees, one column per sample, for what that one does.
  Matrix seen_after(const Layer& layer, const Matrix& values) const {
    return seen(unit_values(layer, problem_.network.activation, values), problem_.inputs,
                problem_.network.skip_connections);
  }

  /// `values`: what the layer sees, one column per sample.
  void randomize(Random& random, const Matrix& values, Index row, Layer& layer) const {
    layer.weights.row(row) = random.normal(1, values.rows());
    Eigen::RowVectorXd arguments = layer.weights.row(row) * values;
    const double through = problem_.bias ? arguments(random.index(values.cols())) : 0;
    const double mean = arguments.mean();
    const double spread = (arguments.array() - mean).matrix().norm() / std::sqrt(static_cast<double>(arguments.size()));
    const double scale = spread > 0 ? 1 / spread : 1;
    layer.weights.row(row) *= scale;
    layer.bias(row) = -scale * through;
  }

  const LiftedProblem& problem_;
  NetworkFit fit_;
  UnitFitOptions fit_options_;
  Index units_ = 0;  // hidden, of all layers
};

}  // namespace

SearchResult search_networks(const LiftedProblem& problem, const SearchOptions& options,
                             const SearchObserver& observer) {
  NetworkFitting fitting(problem, options);
  return IteratedSearch<NetworkFitting>(problem, options, observer, fitting).run();
}

}  // namespace relufit
