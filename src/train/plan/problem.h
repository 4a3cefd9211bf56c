/// \file
/// What options ask of the data, and what train_options.h does not need to say.
#pragma once

#include "relufit/train_options.h"

namespace relufit {

/// Whether the output weights are given.
inline bool has_fixed_output(const TrainOptions& options) { return options.fixed_output.size() > 0; }

/// The ridge, per value of the loss, where none is given or chosen.
constexpr double kUsualRidge = 3e-3;

/// Units of an automatic width where there are too few samples to choose by, and the fewest that are tried.
constexpr Index kUsualWidth = 10;

/// The form of the network that the options ask for.
Architecture architecture_of(const TrainOptions& options, const Dataset& data);

/// Weights of such a network, with its biases where asked for.
Index parameter_count(const Architecture& network, bool bias);

/// How many values the loss of these samples sums, which a ridge is per: the cross-entropy has one for each sample.
double loss_terms(const Loss& loss, Index samples, Index outputs);

/// The relaxation that is planned, its weights and penalties in units of the loss.
SequenceOptions relaxation_for(const LiftedProblem& problem, const TrainPlan& plan);

/// Throws std::invalid_argument for a loss that is not the one the classes of the data are encoded for, and given
/// output weights that do not fit the data.
void check_suits(const Dataset& data, const TrainOptions& options);

/// Throws std::invalid_argument for validation samples that are not like the data, or not finite.
void check_validation(const Dataset& data, const TrainOptions& options);

/// The loss alone of validation samples: the problem's without ridge, terms on weights and bounds.
LiftedProblem validation_problem(const ScaledProblem& scaled, const Dataset& validation);

/// The network of a model, which works on its own scaled data, in the scaled units of this problem.
std::vector<Layer> scaled_layers(const Model& model, const ScaledProblem& scaled);

/// One stream of seeds per start; the odd constant keeps neighbouring seeds apart.
unsigned long long start_seed(unsigned seed, Index start);

}  // namespace relufit
