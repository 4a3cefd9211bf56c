"""ONNX files from the command line.

python -m relufit export MODEL --onnx FILE
python -m relufit import FILE --model MODEL
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import Model, from_onnx


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m relufit", description="relufit models as ONNX files, and back.")
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write a model file as ONNX")
    export.add_argument("model", help="model file")
    export.add_argument("--onnx", required=True, help="ONNX file to write")
    export.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="default: float32")
    export.add_argument("--opset", type=int, default=13, help="default: 13")
    export.add_argument("--scores", action="store_true", help="of a classification the scores alone")
    read = commands.add_parser("import", help="read an ONNX file as a model")
    read.add_argument("onnx", help="ONNX file")
    read.add_argument("--model", required=True, help="model file to write")
    given = parser.parse_args(arguments)
    try:
        if given.command == "export":
            Model.load(given.model).to_onnx(
                given.onnx, dtype=given.dtype, opset=given.opset, scores=given.scores
            )
        else:
            from_onnx(given.onnx).save(given.model)
    except Exception as error:  # as the program relufit: one line, 2 for bad input, 1 for any other failure
        print(f"relufit: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, (ValueError, FileNotFoundError)) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
