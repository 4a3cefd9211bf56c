"""Bad input: exit code 2, one line that says what is wrong and where, and nothing written."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from cli_tools import Program, contents

DATA = "a,b,y\n1,2,3\n2,1,5\n4,0,-1\n"

MODEL: dict[str, Any] = {
    "format": "relufit-model",
    "version": 1,
    "input_names": ["a", "b"],
    "target_names": ["y"],
    "output_activation": "linear",
    "input_scaling": {"offset": [0, 0], "scale": [1, 1]},
    "target_scaling": {"offset": [0], "scale": [1]},
    "layers": [{"weights": [[1, 2], [3, 4]], "bias": [0, 1]}, {"weights": [[1, -1]], "bias": [0]}],
    "training": {
        "version": "0.1.0", "strategy": "inexact", "loss": "exact", "status": "converged", "seed": 0, "samples": 3,
        "iterations": 1, "seconds": 0, "relative_residual": 0, "pair_violation": 0, "product_violation": 0,
    },
}  # fmt: skip


def changed_model(value: object, *place: str | int) -> str:
    """The text of MODEL with another value at a place in it; None removes it."""
    model = copy.deepcopy(MODEL)
    *parents, last = place
    target: Any = model
    for key in parents:
        target = target[key]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return json.dumps(model)


@dataclass(frozen=True)
class Case:
    """Arguments, what the one line on standard error must contain, and files beside data.csv and model.json."""

    name: str
    arguments: str
    fragments: list[str]
    files: dict[str, str | bytes] = field(default_factory=dict)


def train(name: str, options: str, *fragments: str, **files: str) -> Case:
    return Case(name, f"train data.csv --targets y --hidden 2 --model new.json {options}", list(fragments), files)


def classify(name: str, options: str, *fragments: str, text: str = "a,y\n1,x\n2,z\n3,w\n", **files: str) -> Case:
    targets = "" if "--targets" in options else "--targets y"
    arguments = f"train data.csv --task classify {targets} --hidden 2 --model new.json {options}"
    return Case(name, arguments, list(fragments), {"data.csv": text, **files})


def bad_data(name: str, text: str | bytes, *fragments: str, options: str = "") -> Case:
    arguments = f"train bad.csv --targets y --hidden 2 --model new.json {options}"
    return Case(name, arguments, list(fragments), {"bad.csv": text})


def bad_model(name: str, text: str, *fragments: str) -> Case:
    return Case(name, "predict bad.json data.csv --out new.csv", ["bad.json", *fragments], {"bad.json": text})


DATA_CASES = [
    Case("missing file", "train no.csv --targets y --hidden 2 --model new.json", ["no.csv", "No such file"]),
    Case("folder as data", "train . --targets y --hidden 2 --model new.json", ["directory"]),
    bad_data("empty file", "", "bad.csv", "empty", "header"),
    bad_data("only a header", "a,y\n", "bad.csv", "no data rows"),
    bad_data("no header", "1,2\n3,4\n", "bad.csv:1", "header"),
    bad_data("not a number", "a,y\n1,2\n1,two\n", "bad.csv:3", "'y'", "'two'"),
    bad_data("empty cell", "a,y\n1,2\n,3\n", "bad.csv:3", "'a'"),
    bad_data("NaN", "a,y\n1,2\nnan,3\n", "bad.csv:3", "'a'", "nan"),
    bad_data("infinity", "a,y\n1,-inf\n2,3\n", "bad.csv:2", "'y'", "-inf"),
    bad_data("overflow", "a,y\n1,1e999\n2,3\n", "bad.csv:2", "'y'", "1e999"),
    bad_data("ragged row", "a,y\n1,2\n1,2,3\n", "bad.csv:3", "3 fields", "expected 2"),
    bad_data("short row", "a,y\n1,2\n1\n", "bad.csv:3", "1 fields", "expected 2"),
    bad_data("repeated column", "a,y,a\n1,2,3\n4,5,6\n", "bad.csv:1", "'a'", "column 3", "column 1"),
    bad_data("open quote", 'a,y\n1,2\n"1,3\n', "bad.csv:3", "quote"),
    bad_data("line break in a name", 'a,"y\nz"\n1,x\n2,3\n', "bad.csv:3", "'x'"),
    bad_data("binary file", b"a,y\n1,\x00\xff2\n", "bad.csv:2", "NUL"),
    bad_data("name that is no UTF-8", b"a\xff,y\n1,2\n3,4\n", "bad.csv:1", "column 1", "UTF-8"),
    bad_data("constant target", "a,y\n1,2\n3,2\n", "'y'", "2 in all 2 samples"),
    bad_data("too few rows", "a,y\n1,2\n", "1 samples", "at least 2"),
    bad_data("too few rows left", "a,y\n1,2\n2,3\n", "1 samples", options="--test-fraction 0.5"),
    bad_data("negative target", "a,y\n1,2\n2,-3.5\n", "'y'", "-3.5", "ReLU", options="--output-activation relu"),
    bad_data("text that is not used", "id,a,y\nx7,1,2\nx8,2,3\n", "bad.csv:2", "'id'", "'x7'", "--inputs"),
    Case("unknown target", "train data.csv --targets z --hidden 2 --model new.json", ["data.csv", "'z'", "'y'"]),
    Case("repeated target", "train data.csv --targets y,y --hidden 2 --model new.json", ["data.csv", "'y'"]),
    Case("no input left", "train data.csv --targets y,a,b --hidden 2 --model new.json", ["data.csv", "no input"]),
    train("unknown input", "--inputs a,q", "data.csv", "'q'"),
    train("target as input", "--inputs a,y", "data.csv", "'y'"),
    train("test file without a column", "--test few.csv", "few.csv", "'b'", **{"few.csv": "a,y\n1,2\n"}),
    train("missing test file", "--test no.csv", "no.csv", "No such file"),
]

FIXED = "--loss exact --fixed-output ones"
WEIGHTS = "--loss exact --fixed-output w.csv"

OPTION_CASES = [
    Case("no command", "", ["subcommand"]),
    Case("unknown command", "learn data.csv", ["subcommand"]),
    Case("missing target option", "train data.csv --hidden 2 --model new.json", ["--targets"]),
    Case("missing hidden option", "train data.csv --targets y --model new.json", ["--hidden"]),
    Case("missing model option", "train data.csv --targets y --hidden 2", ["--model"]),
    Case("missing value", "train data.csv --targets y --model new.json --hidden", ["--hidden"]),
    train("unknown option", "--momentum 0.9", "--momentum"),
    train("superfluous argument", "other.csv", "other.csv"),
    train("unknown method", "--method newton", "--method", "'newton'", "search"),
    train("search for a squared loss", "--method search", "search", "exact"),
    *[
        train(f"search with {option}", f"--loss exact --method search {option}", option.split()[0].replace("--no-", "--"),
              "not with method 'search'")
        for option in [
            "--init zero", "--random-scale 1", "--ridge 0.1", "--lambda-pair 1", "--lambda-product 1", "--pair-scale 1",
            "--left-scale 1", "--right-scale 1", "--inner-iterations 5", "--strategy inexact", "--polish", "--no-polish",
        ]
    ],
    train("given output weights, squared loss", "--fixed-output ones", "--method", "'fixed-output'", "exact loss"),
    train("given output weights, two layers", f"{FIXED} --hidden 2,2", "--hidden: 3 hidden layers", "expect 1"),
    train("given output weights, two targets", f"{FIXED} --targets a", "targets: 2", "expect 1"),
    Case("given output weights, ReLU output",
         f"train data.csv --targets a --hidden 2 --output-activation relu --model new.json {FIXED}", ["relu", "linear"]),
    train("given output weights, search", f"{FIXED} --method search", "--fixed-output", "search", "fixed-output"),
    train("given output weights, relaxation", f"{FIXED} --method relaxation", "--fixed-output", "relaxation"),
    train("given output weights, relaxation's option", f"{FIXED} --lambda-pair 2", "--lambda-pair", "'fixed-output'"),
    train("given output weights, a ridge", f"{FIXED} --ridge 0.1", "--ridge", "'fixed-output'"),
    train("fixed-output without output weights", "--loss exact --method fixed-output", "--method", "needs fixed_output"),
    train("missing output weights", "--loss exact --fixed-output no.csv", "no.csv", "No such file"),
    train("too few output weights", WEIGHTS, "w.csv", "1 rows of 1 values", "1 of 2", **{"w.csv": "s1\n1\n"}),
    train("too many rows of output weights", WEIGHTS, "w.csv", "2 rows", **{"w.csv": "s1,s2\n1,1\n2,2\n"}),
    train("output weight 0", WEIGHTS, "w.csv", "0", **{"w.csv": "s1,s2\n1,0\n"}),
    train("output weight nan", WEIGHTS, "w.csv:2", "nan", **{"w.csv": "s1,s2\n1,nan\n"}),
    train("trace over the output weights", f"{WEIGHTS} --trace w.csv", "w.csv", "named twice",
          **{"w.csv": "s1,s2\n1,1\n"}),
    train("unknown loss", "--loss hubert", "--loss", "'hubert'", "exact", "squared", "cross-entropy"),
    train("huber without delta", "--loss huber", "'huber'", "--huber-delta"),
    train("quantile without value", "--loss quantile", "'quantile'", "--quantile"),
    train("delta without huber", "--huber-delta 1", "--huber-delta", "--loss huber"),
    train("quantile of another loss", "--loss absolute --quantile 0.5", "--quantile", "--loss quantile"),
    train("loss of classes for a regression", "--loss logistic", "'logistic'", "--task classify"),
    train("unknown task", "--task cluster", "--task", "'cluster'", "classify"),
    train("huber loss of ReLU outputs", "--loss absolute --output-activation relu", "'relu'", "absolute", "linear"),
    train("weights under the exact loss", "--loss exact --sample-weights a", "--sample-weights", "--loss exact"),
    train("unknown column of weights", "--sample-weights q", "data.csv", "'q'"),
    train("target as weights", "--sample-weights y", "data.csv", "'y'"),
    train("negative weights", "--sample-weights w", "sample_weights", "-1", "sample 2",
          **{"data.csv": "a,b,y,w\n1,2,3,1\n2,1,5,-1\n4,0,-1,1\n"}),
    train("no hidden layer with another", "--hidden none,2", "--hidden", "'none'"),
    Case("no hidden layer and exact", "train data.csv --targets y --hidden none --loss exact --model m",
         ["--hidden", "no layer", "exact"]),
    classify("loss of numbers for classes", "--loss huber --huber-delta 1", "'huber'", "cross-entropy"),
    classify("logistic with three classes", "--loss logistic", "'logistic'", "3 classes", "cross-entropy"),
    classify("two labels", "--targets y,a", "--targets", "2 columns"),
    classify("unknown label column", "--targets q", "data.csv", "'q'", "'a'", text="a,y\n1,2\n2,3\n"),
    classify("one class", "", "'y'", "'x' in all 2 samples", text="a,y\n1,x\n2,x\n"),
    classify("empty label", "", "'y'", "empty", text="a,y\n1,x\n2,\n3,z\n"),
    classify("text in an input", "", "data.csv:3", "'a'", "'two'", text="a,y\n1,x\ntwo,z\n"),
    classify("class that training lacks", "--test test.csv", "test.csv:3", "'y'", "'w'", "'x'",
             text="a,y\n1,x\n2,z\n", **{"test.csv": "a,y\n1,x\n2,w\n"}),
    classify("classes that cannot be split", "--test-fraction 0.3", "class", "2 samples"),
    train("unknown activation", "--output-activation tanh", "'tanh'", "linear", "relu"),
    *[
        Case(f"hidden {units}", f"train data.csv --targets y --hidden {units} --model m", ["--hidden", repr(bad)])
        for units, bad in [("0", "0"), ("-3", "-3"), ("2,two", "two"), ("2.5", "2.5"), ("1000000000", "1000000000")]
    ],
    *[
        train(f"{option} {value}", f"--{option} {value}", f"--{option}", f"'{value}'", "expected")
        for option, values in {
            "ridge": ["-1", "nan", "inf", "small"],
            "seed": ["-1", "x", "5000000000"],
            "starts": ["0", "-2", "many"],
            "threads": ["0", "1000000"],
            "iterations": ["0", "-5"],
            "inner-iterations": ["-1", "1.5"],
            "tolerance": ["0", "-1e-8", "nan"],
            "time-limit": ["-1", "nan"],
            "test-fraction": ["0", "1", "2", "-0.1", "nan"],
            "validation-fraction": ["0", "1"],
            "random-scale": ["0", "-1"],
            "lambda-pair": ["0", "inf"],
            "lambda-product": ["-1"],
            "pair-scale": ["0"],
            "left-scale": ["-1"],
            "right-scale": ["nan"],
        }.items()
        for value in values
    ],
    train("two kinds of held-out data", "--test-fraction 0.5 --test data.csv", "--test-fraction", "--test"),
    train("two kinds of validation data", "--validation-fraction 0.5 --validation data.csv", "--validation-fraction"),
    train("validation of exact fits", "--loss exact --validation data.csv", "validation", "exact loss"),
    train("hexadecimal number", "--starts 0x2", "--starts", "'0x2'", "whole number"),
    train("several starts, nothing random", "--starts 2 --init zero", "starts", "2"),
    *[
        Case(f"long name for {option}", f"{command} {option} {'x' * 256}", ["x: cannot be written: File name too long"])
        for command, option in [
            ("train data.csv --targets y --hidden 2", "--model"),
            ("train data.csv --targets y --hidden 2 --model new.json", "--trace"),
            ("predict model.json data.csv", "--out"),
            ("export model.json", "--c"),
            ("export-sdp data.csv --targets y --hidden 2", "--out"),
            ("import data.csv", "--model"),
        ]
    ],
    train("script of the plot with a long name", f"--plot {'x' * 253}", ".gp: cannot be written: File name too long"),
    train("file as folder of the trace", "--trace data.csv/trace", "data.csv/trace", "Not a directory"),
    train("plot onto a device", "--plot /dev/null", "/dev/null", "regular file"),
    train("model over the constraints", "--constraints new.json", "new.json", "named twice",
          **{"new.json": '{"convex": true}'}),
    Case("model over the script of the plot", "train data.csv --targets y --hidden 2 --plot p --model p.gp",
         ["p.gp", "named twice"]),
    train("open quote in a list", '--inputs "a,b', '--inputs', '"a,b', "quotes"),
    train("text behind a quote in a list", '--inputs "a"b', '--inputs', '"a"b', "quotes"),
    train("empty name in a list", "--inputs a,,b", "data.csv", "''", "'a', 'b', 'y'"),
    train("deep constraints", "--constraints deep.json", "deep.json", "nested more than 100 deep",
          **{"deep.json": '{"weights":' + "[" * 100001 + "]" * 100001 + "}"}),
    train("cut deep constraints", "--constraints deep.json", "deep.json", "nested more than 100 deep",
          **{"deep.json": '{"weights":' + "[" * 100000}),
    train("constraint out of range", "--constraints c.json", "c.json", "1e999", "range",
          **{"c.json": '{"lipschitz": 1e999}'}),
    train("trace in a missing folder", "--trace no/trace.csv", "no/trace.csv", "'no'"),
    train("plot in a missing folder", "--plot no/plot.svg", "no/plot.svg", "'no'"),
    Case("model in a missing folder", "train data.csv --targets y --hidden 2 --model no/m.json", ["no/m.json", "'no'"]),
    Case("model is a folder", "train data.csv --targets y --hidden 2 --model .", ["folder"]),
    Case("model over the data", "train data.csv --targets y --hidden 2 --model ./data.csv", ["named twice"]),
    train("trace over the model", "--trace new.json", "new.json", "named twice"),
    train("plot over the test data", "--test data.csv --plot data.csv", "data.csv", "named twice"),
    Case("predictions over the data", "predict model.json data.csv --out data.csv", ["data.csv", "named twice"]),
    Case("program over the data", "export-sdp data.csv --targets y --hidden 2 --out data.csv", ["named twice"]),
    Case("unknown experiment", "reproduce everything --out new", ["everything", "perturbed"]),
    Case("no start", "reproduce zero --starts 0 --out new", ["--starts", "0"]),
    Case("missing folder option", "reproduce true", ["--out"]),
    Case("file as folder", "reproduce true --out data.csv", ["data.csv"]),
    Case("predictions in a missing folder", "predict model.json data.csv --out no/p.csv", ["no/p.csv", "'no'"]),
    Case("program in a missing folder", "export-sdp data.csv --targets y --hidden 2 --out no/p.dat-s", ["no/p.dat-s"]),
    Case("program of no units", "export-sdp data.csv --targets y --hidden 0 --out new.dat-s", ["--hidden", "'0'"]),
    Case("program of no layer", "export-sdp data.csv --targets y --hidden none --out new.dat-s", ["--hidden", "'none'"]),
    Case("program of another loss", "export-sdp data.csv --targets y --hidden 2 --loss absolute --out new.dat-s",
         ["absolute", "exact or squared"]),
    Case("program with training option", "export-sdp data.csv --targets y --hidden 2 --out p --starts 2", ["--starts"]),
]  # fmt: skip

MODEL_CASES = [
    Case("missing model", "predict no.json data.csv --out new.csv", ["no.json", "No such file"]),
    Case("data as model", "evaluate data.csv data.csv", ["data.csv", "JSON", "line 1"]),
    Case("model as data", "predict model.json model.json --out new.csv", ["model.json:1"]),
    Case("data without an input", "predict model.json few.csv", ["few.csv", "'a'"], {"few.csv": "b\n1\n"}),
    Case("data without the target", "evaluate model.json few.csv", ["few.csv", "'y'"], {"few.csv": "a,b\n1,2\n"}),
    Case("start model missing", "train data.csv --targets y --hidden 2 --init no.json --model new.json", ["no.json"]),
    Case("start of other width", "train data.csv --targets y --hidden 3 --init model.json --model new.json",
         ["2-2-1", "2-3-1"]),
    Case("program from a start of other width",
         "export-sdp data.csv --targets y --hidden 3 --init model.json --out new.dat-s", ["2-2-1", "2-3-1"]),
    Case("start of other inputs", "train data.csv --targets y --inputs a --hidden 2 --init model.json --model new.json",
         ["2-2-1", "1-2-1"]),
    bad_model("empty model", "", "JSON"),
    bad_model("cut model", json.dumps(MODEL)[:200], "JSON"),
    bad_model("deep model", "[" * 100000 + "]" * 100000, "nested more than 100 deep"),
    bad_model("number out of range", changed_model(12345, "version").replace("12345", "-1e999"), "-1e999", "range"),
    bad_model("model that is a list", "[1, 2]", "object"),
    bad_model("other format", changed_model("other", "format"), "format", "'other'"),
    bad_model("newer version", changed_model(2, "version"), "version", "2"),
    bad_model("no layers", changed_model([], "layers"), "layers"),
    bad_model("layers missing", changed_model(None, "layers"), "layers", "missing"),
    bad_model("wide weights", changed_model([[1, 2, 3], [4, 5, 6]], "layers", 0, "weights"),
              "layers[0].weights", "3 values", "expected 2"),
    bad_model("short bias", changed_model([0], "layers", 0, "bias"), "layers[0].bias", "1 values", "expected 2"),
    bad_model("too many outputs", changed_model([[1, 2], [3, 4]], "layers", 1, "weights"),
              "layers[1].weights", "2 rows"),
    bad_model("text as weight", changed_model("w", "layers", 0, "weights", 1, 0), "layers[0].weights[1][0]", "'w'"),
    bad_model("scale of zero", changed_model([0, 1], "input_scaling", "scale"), "input_scaling.scale[0]", "0"),
    bad_model("unknown activation in the model", changed_model("tanh", "output_activation"), "'tanh'", "'relu'"),
    bad_model("classes without a label", changed_model({"classes": ["x", "z"], "link": "softmax"}, "classification"),
              "classification.label", "missing"),
    bad_model("one class in the model",
              changed_model({"label": "c", "classes": ["x"], "link": "softmax"}, "classification"),
              "classification.classes", "at least 2"),
    bad_model("unknown link", changed_model({"label": "c", "classes": ["x", "z"], "link": "probit"}, "classification"),
              "classification.link", "'probit'", "'softmax'"),
    bad_model("classes that are not the outputs",
              changed_model({"label": "c", "classes": ["x", "z"], "link": "softmax"}, "classification"),
              "classification", "1 outputs", "expected 2"),
    bad_model("repeated input name", changed_model(["a", "a"], "input_names"), "input_names[1]", "'a'"),
]  # fmt: skip


@pytest.mark.parametrize("case", [*DATA_CASES, *OPTION_CASES, *MODEL_CASES], ids=lambda case: case.name)
def test_bad_input(relufit: Program, case: Case) -> None:
    files = {"data.csv": DATA, "model.json": json.dumps(MODEL), **case.files}
    for name, text in files.items():
        (relufit.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    before = contents(relufit.folder)

    completed = relufit.run(*case.arguments.split())

    assert completed.returncode == 2, completed.stderr
    assert completed.stdout == ""
    assert completed.stderr.startswith("relufit: ")
    assert completed.stderr.count("\n") == 1 and completed.stderr.endswith("\n"), completed.stderr
    missing = [fragment for fragment in case.fragments if fragment not in completed.stderr]
    assert not missing, completed.stderr
    assert contents(relufit.folder) == before
    assert not (relufit.folder / "new").exists()


@pytest.mark.parametrize(
    "command",
    [
        "train data.csv --targets y --hidden 2 --model",
        "train data.csv --targets y --hidden 2 --model new.json --trace",
        "train data.csv --targets y --hidden 2 --model new.json --plot",
        "predict model.json data.csv --out",
        "export model.json --c",
        "export model.json --onnx",
        "export-sdp data.csv --targets y --hidden 2 --out",
        "import data.csv --model",
        "reproduce true --out",
    ],
)
def test_files_without_a_name_are_refused(relufit: Program, command: str) -> None:
    (relufit.folder / "data.csv").write_text(DATA)
    (relufit.folder / "model.json").write_text(json.dumps(MODEL))
    before = contents(relufit.folder)
    completed = relufit.run(*command.split(), "")
    assert completed.returncode == 2
    assert completed.stderr.startswith(f"relufit: {command.split()[-1]}: ''"), completed.stderr
    assert completed.stderr.count("\n") == 1
    assert contents(relufit.folder) == before


def test_the_good_versions_are_accepted(relufit: Program) -> None:
    """What the cases above change is what is wrong with them."""
    (relufit.folder / "data.csv").write_text(DATA)
    (relufit.folder / "model.json").write_text(json.dumps(MODEL))
    relufit("train", "data.csv", "--targets", "y", "--hidden", 2, "--iterations", 5, "--model", "new.json")
    relufit("predict", "model.json", "data.csv", "--out", "new.csv")


@pytest.mark.parametrize("option", ["--loss", "--hidden", "--trace", "--momentum"])
def test_line_breaks_in_arguments_do_not_break_the_message(relufit: Program, option: str) -> None:
    (relufit.folder / "data.csv").write_text(DATA)
    completed = relufit.run(
        "train", "data.csv", "--targets", "y", "--hidden", 2, "--model", "new.json", option, "no\r\nfolder/file"
    )
    assert completed.returncode == 2
    assert len(completed.stderr.splitlines()) == 1


def test_a_refused_command_keeps_an_earlier_model(relufit: Program) -> None:
    (relufit.folder / "data.csv").write_text(DATA)
    (relufit.folder / "model.json").write_text(json.dumps(MODEL))
    before = contents(relufit.folder)
    for options in [("--hidden", 0), ("--hidden", 2, "--tolerance", 0), ("--hidden", 2, "--inputs", "q")]:
        assert relufit.run("train", "data.csv", "--targets", "y", *options, "--model", "model.json").returncode == 2
    assert contents(relufit.folder) == before
