/// \file
/// Errors of a plain network as functions of its packed parameters, with their derivatives.
#pragma once

#include <memory>
#include <vector>

#include "parallel/chunks.h"
#include "parallel/workers.h"
#include "relufit/lift.h"

namespace relufit {

/// Parameters are packed layer by layer: W_l column by column, then b_l where layers have biases. Holds a reference to
/// the problem.
///
/// The loss and its gradient, of all ranks, take a few hundred samples at a time, whose values stay in the caches from
/// the first layer to the last and back; their sums are those of chunks (parallel/chunks.h). Errors, slopes and
/// Jacobians are those of the samples here.
class NetworkErrors {
 public:
  explicit NetworkErrors(const LiftedProblem& problem, int threads = 1);

  Index parameter_count() const { return parameters_; }
  /// Position of a layer's first parameter; layers count from 0.
  Index offset(std::size_t layer) const { return offsets_[layer]; }
  /// Whether the loss is half the squared norm of the values: exact or squared, without sample weights.
  bool is_least_squares() const;
  /// Entries of Z - Y, output by output, then sqrt(ridge) times all weights if there is a ridge.
  Index value_count() const { return problem_.targets.size() + (problem_.ridge > 0 ? parameters_ : 0); }

  /// Rounds off the corners of the activations (smooth_activation.h): from here on the network is the smoothed one.
  void set_smoothing(double width) { smoothing_ = width; }

  Vector pack(const std::vector<Layer>& layers) const;
  std::vector<Layer> unpack(const Vector& parameters) const;

  /// values (value_count): errors at the parameters.
  void values(const Vector& parameters, Vector& values);
  /// jacobian (value_count x parameter_count): their derivatives there.
  void jacobian(const Vector& parameters, Matrix& jacobian);
  /// The loss with its ridge, whatever it is, and its gradient (parameter_count; a subgradient where it has none). For
  /// least squares half the squared norm of the values.
  double loss(const Vector& parameters, Eigen::Ref<Vector> gradient);
  double loss(const Vector& parameters);
  /// Derivatives of the loss, without its ridge, by the arguments of every layer (its rows x samples).
  std::vector<Matrix> slopes(const Vector& parameters);
  /// Whether the loss has a curvature, which gauss_newton needs: not absolute, quantile and hinge.
  bool has_curvature() const;
  /// Gradient of the loss, and J'DJ (lower half) with the curvature D of the loss by the outputs, ridge included; J is
  /// formed for a few samples at a time.
  void gauss_newton(const Vector& parameters, Vector& gradient, Matrix& gram);

 private:
  using Weights = Eigen::Map<const Matrix>;
  /// What a pass through the network leaves for some of the samples.
  struct Pass {
    Range samples{0, 0};
    std::vector<Matrix> arguments;    // of the activations of every layer
    std::vector<Matrix> activations;  // what every layer sees (inputs; hidden units, inputs again if skipped), outputs
    std::vector<Matrix> slopes;       // by the arguments of hidden layers, with the same index; first and last empty
    Matrix errors;                    // of the outputs; 0 where a ReLU output that must vanish does
  };
  Weights weights(const Vector& parameters, std::size_t layer) const;
  Index biases(std::size_t layer) const { return problem_.bias ? shapes_[layer].rows : 0; }
  void enter(Pass& pass, Range samples) const;
  void forward(const Vector& parameters, Pass& pass) const;
  const Pass& forward_all(const Vector& parameters);
  /// Whether the loss is of the errors: squares, which a ReLU output makes one-sided where the output must vanish.
  bool is_of_errors() const;
  double output_loss(const Pass& pass) const;
  Matrix output_slope(const Pass& pass) const;
  /// Calls visit(l, derivatives by the arguments of layer l) from the last layer to the first, after `forward`.
  template <class Visit>
  void backward(const Vector& parameters, const Pass& pass, Visit&& visit) const;
  template <class Work>
  void for_all_chunks(const Work& work);
  void add_gradient(const Vector& parameters, const Pass& pass, Eigen::Ref<Vector> gradient) const;
  double curvature(double output, double target) const;
  void transpose(Range samples);
  void seed(Range samples, Index output, bool curved);
  void fill_jacobian(const Vector& parameters, Eigen::Ref<Matrix> rows);

  const LiftedProblem& problem_;
  std::vector<LayerShape> shapes_;
  Index parameters_ = 0;
  double smoothing_ = 0;        // width; 0: none
  std::vector<Index> offsets_;  // of every layer's parameters
  Vector ridge_;                // sqrt(ridge) for weights, 0 for biases
  Chunks chunks_;
  ChunkSums losses_, gradients_;      // the latter each with its loss
  std::vector<Pass> passes_;          // by thread
  std::shared_ptr<Workers> workers_;  // of copies, too, which then must not run at the same time
  Pass all_;                          // of all samples, for values and Jacobians
  Matrix rows_;                       // of a Jacobian, for a few samples
  // For it, with one row per sample: the above, and derivatives of one output by the arguments of every layer.
  std::vector<Matrix> inputs_of_, slopes_of_, backward_;
};

}  // namespace relufit
