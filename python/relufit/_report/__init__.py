"""Reports: everything about one training on one page, a single HTML file. The package jinja2 is imported only when
used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from .._core import Certificate, TrainResult, check_output, version, write_file

if TYPE_CHECKING:
    from .facts import Facts

__all__ = ["check_packages", "report", "write_report"]


def check_packages() -> None:
    """ImportError, which says what to install, where the page cannot be made."""
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise ImportError("a report needs the package jinja2: pip install 'relufit[report]'") from error


def report(
    source: Any,
    path: str | bytes | os.PathLike[Any],
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    test: tuple[ArrayLike, ArrayLike] | None = None,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    title: str | None = None,
    options: Mapping[str, Any] | None = None,
    certificate: Certificate | None = None,
) -> None:
    """One page about a training: a single HTML file, without scripts, that refers to no other and to no network.

    Data, options, measures of fit, violations and merit over iterations and time, predictions against targets,
    constraints with their proofs, the response to every input (others at their medians), the loss of held-out samples
    for every ridge, the certificate. The file appears whole or not at all. Needs jinja2: `pip install relufit[report]`.

    Parameters
    ----------
    source : TrainResult, or fitted estimator
    path : path of a file
        To write.
    inputs : array (samples, inputs) or frame
        Raw; those trained on.
    targets : array (samples, outputs) or (samples,)
        Raw; of classes their labels (samples,).
    test, validation : tuple (inputs, targets)
        Samples held out of training to judge by, and to choose by; default: none.
    title : str
        Default: the names of the targets.
    options : mapping
        Of names to values, as the page is to show them; of an estimator the parameters that are not defaults are shown
        without being asked for.
    certificate : Certificate
        Of `certify`, for this model and these samples.

    Raises
    ------
    ValueError
        Names what does not fit, or says why the file cannot be written.
    ImportError
        jinja2 is not installed.
    """
    from .facts import facts_of, samples_of

    check_output(path)
    check_packages()
    if isinstance(source, TrainResult):
        model, labels = source.model, None
    elif hasattr(source, "model_") and hasattr(source, "trace_"):
        model, labels = source.model_, getattr(source, "classes_", None)
    else:
        raise ValueError(f"source: {type(source).__name__}, expected a TrainResult or a fitted estimator")
    samples = [samples_of("training", model, inputs, targets, labels)]
    for name, given in (("validation", validation), ("held out", test)):
        if given is None:
            continue
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise ValueError(f"{name}: expected a tuple (inputs, targets)")
        samples.append(samples_of(name, model, *given, labels))
    label = model.classification.label if model.classification else ", ".join(model.target_names)
    facts = facts_of(source, samples, title=title or label, options=options, certificate=certificate)
    write_report(facts, path)


def write_report(facts: Facts, path: str | bytes | os.PathLike[Any]) -> None:
    """The page of these facts."""
    import jinja2

    from . import content

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.path.dirname(__file__)),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["short"] = lambda value: f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
    page = environment.get_template("page.html").render(facts=facts, content=content, version=version)
    write_file(path, page)
