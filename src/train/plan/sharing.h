/// \file
/// How a training is spread over ranks.
///
/// Large data lie with all ranks, each with its chunks of the samples (parallel/chunks.h), and all train the one
/// network. Otherwise every rank has all samples, and the starts are dealt out: start i to rank i modulo their number.
/// What is done for few samples (choice of the ridge and of the units, the path of a large training) is done by rank 0.
/// Either way the result is that of one process, bit for bit.
#pragma once

#include "checkpoint/by_first_rank.h"
#include "train/plan/problem.h"
#include "train/plan/train_state.h"

namespace relufit {

/// More rows than these are represented by as many drawn at random, where a choice is made or a path begun.
constexpr Index kSampledRows = 20000;

/// The data that training works on: `data` without ranks, the same samples on every rank, or those of its chunks.
/// Throws std::invalid_argument, on all ranks, where the ranks' data do not go together.
Dataset shared_data(const Dataset& data, const TrainOptions& options, const TrainPlan& plan);

/// Of the samples that ranks have, however many each, those of this rank's chunks.
Dataset dealt(const Dataset& data, const Ranks& ranks);

/// Some of the rows, all if there are no more than that, on every rank.
LiftedProblem sampled(const LiftedProblem& problem, Index samples, unsigned seed);

}  // namespace relufit
