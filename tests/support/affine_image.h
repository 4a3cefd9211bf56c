// The affine step over all samples at once.
#pragma once

#include "subproblem/affine/affine_step.h"

namespace relufit::testing_affine {

/// Factorizes for these parameters and penalties.
inline void prepare(AffineStep& step, const Chunks& chunks, const RelaxationParameters& parameters,
                    const Penalties& penalties) {
  step.set(parameters, penalties);
  for (Index i = 0; i < chunks.count(); ++i) {
    step.clear(i);
    for_each_block(chunks[i], [&](Range samples) { step.accumulate_parameters(Block{samples, i, 0}); });
  }
  step.factorize();
}

/// Solves for the target and sets `image`, of all samples, to A x.
inline void solve(AffineStep& step, const LiftedProblem& problem, const Chunks& chunks, const Copies& target,
                  Copies& image) {
  const auto for_each = [&](auto&& work) {
    for (Index i = 0; i < chunks.count(); ++i) {
      for_each_block(chunks[i], [&](Range samples) { work(Block{samples, i, 0}); });
    }
  };
  for (Index i = 0; i < chunks.count(); ++i) step.clear(i);
  for_each([&](const Block& block) { step.accumulate(target, block); });
  step.solve(target);
  Copies part(problem, Chunks::block);
  for_each([&](const Block& block) {
    step.recover(target, block, part);
    const auto copy = [&](Family, bool by_sample, auto& to, const auto& from) {
      if (by_sample) to.middleCols(block.begin, block.size) = from.leftCols(block.size);
    };
    for_each_part(true, copy, image, part);
  });
  step.recover_shared(part);
  for_each_part(
      true,
      [](Family, bool by_sample, auto& to, const auto& from) {
        if (!by_sample) to = from;
      },
      image, part);
}

}  // namespace relufit::testing_affine
