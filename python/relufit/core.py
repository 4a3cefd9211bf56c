"""The library as it is: training with all its options, and the parts that training consists of.

Names and formulas are those of docs/method.md. Arrays have one row per sample: what is n x N there has shape (N, n)
here. Weights (outputs, inputs) and the matrices of `rank_block` are oriented as in the formulas.

One convex subproblem, and the outer loop by hand::

    problem = LiftedProblem(inputs, targets, hidden=[3])
    solver = SubproblemSolver(problem)
    solver.set_parameters(random_parameters(problem, scale=0.05, seed=0))
    for _ in range(20):
        solver.solve(tolerance=1e-8)
        print(violations(problem, solver.point).product)
        solver.set_parameters(parameters_at(solver.point))
"""

from __future__ import annotations

from ._core import (
    Classification,
    ClassificationMeasures,
    ConstraintCheck,
    Constraints,
    Evaluation,
    FitMeasures,
    LiftedPoint,
    LiftedProblem,
    Model,
    PairParameters,
    ProductParameters,
    RelaxationParameters,
    StartSummary,
    SubproblemResult,
    SubproblemSolver,
    TrainingRecord,
    TrainProgress,
    TrainResult,
    Violations,
    RidgeChoice,
    WeightGridReport,
    WidthChoice,
    check_constraints,
    evaluate,
    exact_penalty,
    lift_network,
    lipschitz_bound,
    make_teacher,
    nuclear_norm,
    parameters_at,
    prox_relu_pairs,
    random_parameters,
    rank_block,
    relaxation_objective,
    singular_value_threshold,
    violations,
    zero_point,
)
from ._options import load_constraints
from ._training import train

__all__ = [
    "Classification",
    "ClassificationMeasures",
    "ConstraintCheck",
    "Constraints",
    "Evaluation",
    "FitMeasures",
    "LiftedPoint",
    "LiftedProblem",
    "Model",
    "PairParameters",
    "ProductParameters",
    "RelaxationParameters",
    "StartSummary",
    "SubproblemResult",
    "SubproblemSolver",
    "TrainProgress",
    "TrainResult",
    "TrainingRecord",
    "Violations",
    "RidgeChoice",
    "WeightGridReport",
    "WidthChoice",
    "check_constraints",
    "evaluate",
    "exact_penalty",
    "lift_network",
    "lipschitz_bound",
    "load_constraints",
    "make_teacher",
    "nuclear_norm",
    "parameters_at",
    "prox_relu_pairs",
    "random_parameters",
    "rank_block",
    "relaxation_objective",
    "singular_value_threshold",
    "solve_subproblem",
    "train",
    "violations",
    "zero_point",
]


def solve_subproblem(
    problem: LiftedProblem,
    parameters: RelaxationParameters,
    *,
    lambda_pair: float = 1.1,
    lambda_product: float = 10.0,
    tolerance: float = 1e-8,
    max_iterations: int = 20000,
    threads: int = 1,
) -> tuple[LiftedPoint, SubproblemResult]:
    """One convex subproblem from a cold start: its solution, and how the solve ended.

        minimize  loss + ridge + sum of lambda (||M||_* - ||P||_*)  over the affine constraints of the problem

    lambda_pair and lambda_product, > 0, weigh the two families of rank blocks; `parameters` holds X, Y and the scales.
    """
    solver = SubproblemSolver(problem, lambda_pair, lambda_product, threads=threads)
    solver.set_parameters(parameters)
    result = solver.solve(tolerance=tolerance, max_iterations=max_iterations)
    return solver.point, result
