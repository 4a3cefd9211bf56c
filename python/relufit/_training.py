"""Training: samples and options as the library takes them."""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._core import Classification, ConstraintCheck, Model, TrainProgress, TrainResult
from ._frames import encoded, find_categories, in_order, texts, with_level_names
from ._frames import input_names as found_names
from ._frames import target_names as found_target_names
from ._labels import CLASS_LOSSES, classes_of
from ._options import options_of
from ._ranks import ranks_of, together
from ._validation import validation_of


def _names(names: Sequence[str] | None, prefix: str, count: int) -> list[str]:
    argument = "input_names" if prefix == "x" else "target_names"
    return [f"{prefix}{i}" for i in range(count)] if names is None else texts(names, argument)


def _named_inputs(
    inputs: ArrayLike, names: Sequence[str] | None, categorical: Any
) -> tuple[ArrayLike, list[str], dict[str, list[str]]]:
    """Inputs, names of their columns, and columns of text with their levels: of a frame the named columns, by default
    all."""
    found = found_names(inputs)
    if names is None:
        names = found
    else:
        inputs = in_order(inputs, [str(name) for name in names])
    if categorical is not None and (found is not None or not isinstance(categorical, Mapping)):
        categories = find_categories(inputs, categorical)
        columns = texts(names or [], "input_names")
        if categories:
            return encoded(inputs, columns, categories), with_level_names(columns, categories), categories
    names = _names(names, "x", np.shape(inputs)[1] if np.ndim(inputs) == 2 else 0)
    return inputs, names, dict(categorical) if isinstance(categorical, Mapping) else {}


def _check_order(init: str | Model, names: Sequence[str]) -> None:
    """A start is taken by position: one that has the names of the data has to have them in their order."""
    if isinstance(init, Model) and init.input_names != names and sorted(init.input_names) == sorted(names):
        raise ValueError(f"init: a model with the inputs {', '.join(init.input_names)}, expected {', '.join(names)}")


def _targets(
    targets: ArrayLike, classes: Sequence[Any] | None, names: Sequence[str] | None, loss: str
) -> tuple[Classification | None, Any, list[str]]:
    """The targets as the library takes them: columns of numbers, or positions of classes with their classification."""
    if loss in CLASS_LOSSES:
        if names is not None and len(names) != 1:
            raise ValueError(f"target_names: {len(names)} names, expected 1, of the label")
        label = "class" if names is None else texts(names, "target_names")[0]
        return (*classes_of(targets, classes, label, loss), [])
    if classes is not None:
        raise ValueError(f"classes: given with the loss {loss!r}, expected one of {', '.join(CLASS_LOSSES)} with them")
    array = np.asarray(targets)
    if array.dtype.kind in "US":
        raise ValueError(
            f"targets: texts with the loss {loss!r}, expected numbers, or one of {', '.join(CLASS_LOSSES)} with labels"
        )
    if array.ndim == 1:
        array = array[:, np.newaxis]
    return None, array, _names(names, "y", array.shape[1] if array.ndim == 2 else 0)


def _check_kept(checks: Sequence[ConstraintCheck]) -> None:
    for check in checks:
        if not check.holds:
            raise RuntimeError(
                f"constraint {check.name} is violated by {-check.slack:.3g} in the best network found. Too few units, "
                "or constraints that contradict each other?"
            )


def train(
    inputs: ArrayLike,
    targets: ArrayLike,
    hidden: Sequence[int] | str,
    *,
    loss: str = "squared",
    loss_parameter: float | None = None,
    sample_weight: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
    activation: str = "relu",
    activation_parameter: float | None = None,
    output_activation: str = "linear",
    skip_connections: bool = False,
    method: str = "auto",
    bias: bool = True,
    fixed_output: ArrayLike | str | None = None,
    ridge: float | str | None = "auto",
    folds: int = 5,
    validation: float | tuple[ArrayLike, ...] | None = None,
    lasso: float = 0,
    group_lasso: float = 0,
    nuclear: float = 0,
    constraints: str | bytes | os.PathLike[Any] | Mapping[str, Any] | None = None,
    init: str | Model = "random",
    random_scale: float | None = None,
    seed: int = 0,
    starts: int = 1,
    iterations: int | None = None,
    strategy: str | None = None,
    inner_iterations: int | None = None,
    lambda_pair: float | None = None,
    lambda_product: float | None = None,
    pair_scale: float | None = None,
    left_scale: float | None = None,
    right_scale: float | None = None,
    penalty_pair: float | None = None,
    penalty_product: float | None = None,
    penalty_output: float | None = None,
    over_relaxation: float | None = None,
    polish: bool | None = None,
    weight_grid: float = 0,
    tolerance: float | None = None,
    stall_window: int | None = None,
    record_interval: int | None = None,
    time_limit: float = 0,
    threads: int = 1,
    checkpoint: str | bytes | os.PathLike[Any] | None = None,
    checkpoint_interval: float | None = None,
    resume: bool = False,
    input_names: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
    categorical: Sequence[str] | str | Mapping[str, Sequence[str]] | None = None,
    callback: Callable[[TrainProgress], bool | None] | None = None,
    comm: Any | None = None,
) -> TrainResult:
    """Trains a network; the counterpart of `relufit train`, with the same options and defaults (docs/command-line.md).

    Scales the data, trains from one or more starts, keeps the best network and verifies it on the raw data. The lock
    of the interpreter is free meanwhile. Ctrl-C ends training within a second (or one iteration of the method, where
    that takes longer); the best network so far is returned with the status "interrupted", and no exception is raised.

    Parameters
    ----------
    inputs : array (samples, inputs)
    targets : array (samples, outputs) or (samples,)
        The latter counts as one column. For a loss of classes labels (samples,): texts, numbers or others that str()
        tells apart.
    hidden : sequence of int, or "auto"
        Units of the hidden layers. None of them, (): a linear model, whose training problem is convex. "auto": one
        hidden layer of 10 units, doubled as long as that predicts held-out samples better by 2 %, up to 160
        (`TrainResult.width_choice`). Not with the exact loss, a model as start, and constraints that name units.
    loss : {"squared", "exact", "absolute", "huber", "quantile", "cross-entropy", "logistic", "hinge"}
        "exact": outputs equal targets. The last three are for classes: "logistic" for 2 of them, "hinge" without
        probabilities. Formulas: docs/command-line.md.
    loss_parameter : float
        "huber": error from which on it is linear, units of the targets, > 0. "quantile": the quantile, in (0, 1). These
        losses need it, others have none.
    sample_weight : array (samples,)
        Weights of the samples in the loss, finite, >= 0 and not all 0; default 1. Data are scaled without them. Not
        with the exact loss.
    classes : sequence
        Labels in the order of the network's outputs, 2 to 1000; default: those among the targets, sorted.
    activation : {"relu", "leaky-relu", "absolute", "clipped-relu", "hard-tanh", "maxout"}
        Of the hidden units: max(z, 0); max(z, 0) + c min(z, 0); |z|; z from 0 to c; z from -1 to 1; the larger of
        two arguments.
    activation_parameter : float
        The c of "leaky-relu", in (-1, 1), default 0.01, and of "clipped-relu", > 0, scaled units, default 1.
    output_activation : {"linear", "relu"}
        "relu" with the squared and the exact loss only.
    skip_connections : bool
        Whether layers after the first see the inputs as well.
    method : {"auto", "relaxation", "search", "fixed-output"}
        "search": exact loss. "fixed-output": with `fixed_output`. "auto": the last where it applies,
        else the search where it applies and no option of the relaxation is given, else the relaxation.
    bias : bool
        Whether layers have biases; without, data are scaled and not centered.
    fixed_output : array (outputs, units) or "ones"
        Output weights of the network for raw data, held fixed (exact loss, one hidden layer, one linear output, which
        then has no bias).
    ridge : float or "auto"
        Penalty on the squared weights per target value (cross-entropy: per sample), >= 0. "auto" (None means the same):
        the one that predicts held-out samples best (`TrainResult.ridge_choice`; docs/method.md); 0 with the exact loss;
        0.003 with a start that is not random, and with fewer than 4 samples per fold.
    folds : int
        Parts of the samples, each of them held out once to choose the ridge, >= 2. One of them alone is held out where
        there are more than 5000 samples, or samples x outputs x weights are more than 2e7; of more than 20 000 some are
        drawn at random (docs/scale.md).
    validation : float in (0, 1), or tuple (inputs, targets) or (inputs, targets, sample_weight)
        Samples to choose by, which are not trained on: that share of those given, at random (of every class), or
        others. The ridge (with "auto", in place of cross-validation), and of several starts the network, are those that
        predict them best. Not with the exact loss.
    lasso, group_lasso, nuclear : float
        Further penalties on the weights, likewise, >= 0; default 0 (docs/constraints.md).
    constraints : path of a file, or mapping with its members
        Hard constraints (docs/constraints.md); outputs of classes are the targets "class=NAME".
    init : "random", "zero" or Model
        Start of the relaxation; a model with the same layers, which where there are no constraints and regularizers is
        polished as well as what the relaxation makes of it: the better one is kept.
    random_scale : float
        Standard deviation of random guesses, > 0; default 1; exact loss 0.58, with several hidden layers or constraints
        0.3, else where a start is no race (docs/strategies.md) 0.05; "clipped-relu" and "hard-tanh" 2, of the
        arguments of a random network's units.
    seed : int
        Of the random guesses, 0 to 2^32 - 1.
    starts : int
        Random starts, >= 1; the best network is kept.
    iterations : int
        Outer iterations (search: local fits; fixed-output: iterations) of a start at most, >= 1; default 1000, before a
        path of ridges (docs/strategies.md) 5, from a Model under a loss and terms that allow such a path 5,
        cross-entropy and logistic 60, hinge 300, a race for an exact fit (docs/strategies.md) 300, exact with several
        hidden layers 20 (5000; 6000); under constraints on weights alone a race's relaxations (docs/constraints.md)
        have at most 5.
    strategy : {"converged", "inexact", "extrapolated", "continuation", "reweighted", "safeguarded", "projection"}
        How X and Y follow from a solution (docs/strategies.md); default "inexact" ("converged" with `inner_iterations`
        0).
    inner_iterations : int
        Between updates of X and Y; 0: every subproblem to the end; default: what suits the strategy.
    lambda_pair, lambda_product : float
        Weights of the relaxation, > 0; default 100, for classes 10.
    pair_scale, left_scale, right_scale : float
        Scales of the relaxation, > 0; default 1.
    penalty_pair, penalty_product, penalty_output, over_relaxation : float
        Of the splitting method that solves it: penalties, > 0, default 100, for classes 10; over-relaxation, in (0, 2),
        default 1.6. Exact fits with one hidden layer have constants of their own (docs/strategies.md), scales too.
    polish : bool
        Whether to refine the best network of every start of the relaxation locally (docs/strategies.md); default yes.
        Under constraints on weights alone a start then becomes a race of short relaxations (docs/constraints.md).
    weight_grid : float
        Step of the grid that weights and biases of the network for raw data are rounded to at the end, > 0, the fit
        being repaired (docs/constraints.md); 0: none.
    tolerance : float
        At which a start has converged, scaled units, > 0: largest violation, default 1e-8; search and fixed-output:
        relative residual, default 1e-9.
    stall_window : int
        Records without progress before a start is given up, 0: never; default 40.
    record_interval : int
        Outer iterations between records, >= 1; default 5.
    time_limit : float
        Seconds for all starts together, >= 0; 0: none.
    threads : int
        Starts, or the samples of a single start, run in parallel; the result does not depend on it.
    checkpoint : path of a file
        Keeps what training has done and where it is, so that another training with the same data and options can go on
        from it, however this one ended, to the same network (docs/checkpoints.md). It stays when training has ended.
    checkpoint_interval : float
        Seconds between writing it, >= 0, default 60; 0: at every opportunity.
    resume : bool
        Whether to go on from the checkpoint, where there is one. Without this a file that is there is refused.
    input_names, target_names : sequence of str
        Of the columns, recorded in the model; default those of a frame, else x0, x1, ... and y0, y1, ...; for classes
        the one name of the label, default "class". Of a frame the named columns are the inputs.
    categorical : sequence of str, "from_dtype", or mapping of columns to levels
        Columns of a frame that are taken as text, or all whose type is text or categories: in their place the network
        has an input for each of the texts, named column=text, 1 where the sample has it and 0 elsewhere. These levels
        are the texts that occur, sorted, or the categories that a pandas type declares, or those given, 2 to 1000; the
        model keeps them (`Model.categories`). With an array a mapping says which of its columns, named so by
        `input_names`, are such inputs already.
    callback : callable
        Called with a TrainProgress after every ridge tried and every record, in the calling thread; returns False to
        stop. An exception it raises ends training and is passed on.
    comm : communicator of mpi4py
        Of processes that train together, each giving some of the rows, those of rank 0 first, and all the same options,
        names and classes. Each returns what one process would that has all rows, to the last bit (docs/scale.md).
        Validation samples are then given as arrays, the same on all.

    Returns
    -------
    TrainResult
        The model, how training ended, the trace, and measures of fit.

    Raises
    ------
    ValueError
        Names the argument that is out of range, and what is expected; a checkpoint that is damaged, or of another
        training, and what differs.
    RuntimeError
        Names the constraint that the best network found does not keep, or the checkpoint that cannot be written.
    """
    given = dict(locals())
    ranks = None if comm is None else ranks_of(comm)
    prepared = together(comm, lambda: _prepared(given))
    result = _core.train(**prepared, callback=callback, ranks=ranks)
    _check_kept(result.constraints)
    return result


def _prepared(a: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `train`, checked, as the library takes them."""
    options = options_of(a)
    if a["comm"] is not None:
        _check_together(a)
    inputs, input_names, categories = _named_inputs(a["inputs"], a["input_names"], a["categorical"])
    _check_order(a["init"], input_names)
    target_names = found_target_names(a["targets"]) if a["target_names"] is None else a["target_names"]
    classification, targets, target_names = _targets(a["targets"], a["classes"], target_names, a["loss"])
    if a["sample_weight"] is not None and a["loss"] == "exact":
        raise ValueError("sample_weight: given, expected none with the exact loss")
    fixed_output = a["fixed_output"]
    if fixed_output is not None:
        ones = isinstance(fixed_output, str) and fixed_output == "ones"
        options.set_fixed_output(np.ones((targets.shape[1], *options.hidden[-1:])) if ones else fixed_output)
    _core.plan(options)
    return {
        "inputs": inputs,
        "targets": targets,
        "input_names": input_names,
        "target_names": target_names,
        "options": options,
        "sample_weight": a["sample_weight"],
        "classification": classification,
        "validation": validation_of(a["validation"], input_names, classification, categories),
        "categories": categories,
    }


def _check_together(a: dict[str, Any]) -> None:
    """What a process would have to know of others' rows is given."""
    if isinstance(a["validation"], numbers.Real):
        raise ValueError(f"validation: {a['validation']!r} with comm, expected arrays")
    if a["loss"] in CLASS_LOSSES and a["classes"] is None:
        raise ValueError("classes: not given with comm, expected all labels")
    if a["categorical"] is not None and not isinstance(a["categorical"], Mapping):
        raise ValueError(f"categorical: {a['categorical']!r} with comm, expected the levels of every column")
