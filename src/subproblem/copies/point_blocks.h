/// \file
/// The rank block M of a product at a point, as its copies: [left, right], left's columns being samples.
#pragma once

#include "parallel/chunks.h"
#include "relufit/relaxation.h"

namespace relufit {

/// left += M's columns of a block of samples, of which `part` is the point; product layer index + 2. Scalar scales.
/// Without parameters those at the zero point, and the point must be that.
void add_left_block(const LiftedPoint& part, std::size_t index, const RelaxationParameters* parameters, Range block,
                    Eigen::Ref<Matrix> left);

/// right += M's last columns. Any scales; without parameters likewise.
void add_right_block(const LiftedPoint& point, std::size_t index, const RelaxationParameters* parameters,
                     Eigen::Ref<Matrix> right);

/// add_left_block for all samples and matrices V1, V2.
void add_general_left_block(const LiftedPoint& point, std::size_t index, const RelaxationParameters& parameters,
                            Eigen::Ref<Matrix> left);

}  // namespace relufit
