"""ONNX files from the command line, and what the program leaves to the package.

python -m relufit export MODEL --onnx FILE [--bounds DATA]
python -m relufit import FILE --model MODEL
python -m relufit report [FILE --content FILE --model MODEL]      # run by `relufit train --report`, `certify`
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import Model, from_onnx
from ._core import read_inputs
from ._report import check_packages, write_report


def box_of(path: str, model: Model) -> list[tuple[float, float]]:
    """The least and largest value of a model's inputs in a CSV file."""
    inputs = read_inputs(path, model)
    return list(zip(inputs.min(axis=0).tolist(), inputs.max(axis=0).tolist()))


def _report(given: argparse.Namespace) -> None:
    check_packages()
    if given.report is not None:
        from ._report.facts import facts_of_program

        write_report(facts_of_program(given.content, given.model), given.report)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m relufit", description="relufit models as ONNX files, and back; reports."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write a model file as ONNX")
    export.add_argument("model", help="model file")
    export.add_argument("--onnx", required=True, help="ONNX file to write")
    export.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="default: float32")
    export.add_argument("--opset", type=int, default=13, help="default: 13")
    export.add_argument("--scores", action="store_true", help="of a classification the scores alone")
    export.add_argument("--bounds", help="CSV file: write the smallest box that holds its rows to FILE.bounds.json")
    read = commands.add_parser("import", help="read an ONNX file as a model")
    read.add_argument("onnx", help="ONNX file")
    read.add_argument("--model", required=True, help="model file to write")
    page = commands.add_parser("report", help="a report of the program; without arguments: whether one can be made")
    page.add_argument("report", nargs="?", help="HTML file to write")
    page.add_argument("--content", help="JSON file that the program hands over")
    page.add_argument("--model", help="model file")
    given = parser.parse_args(arguments)
    try:
        if given.command == "report":
            _report(given)
        elif given.command == "export":
            model = Model.load(given.model)
            bounds = box_of(given.bounds, model) if given.bounds else None
            model.to_onnx(given.onnx, dtype=given.dtype, opset=given.opset, scores=given.scores, bounds=bounds)
        else:
            from_onnx(given.onnx).save(given.model)
    except Exception as error:  # as the program relufit: one line, 2 for bad input, 1 for any other failure
        print(f"relufit: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, (ValueError, FileNotFoundError)) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
