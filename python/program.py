#!python
"""The program `relufit` of the installed package. This Python comes first in its PATH: it runs the package for ONNX."""

import os
import signal
import sys
from importlib.util import find_spec

# What Python ignores, and programs do not: a reader that goes away ends them.
for name in ("SIGPIPE", "SIGXFSZ"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
program = os.path.join(os.path.dirname(find_spec("relufit").origin), "bin", "relufit")  # without importing the package
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
os.execv(program, ["relufit", *sys.argv[1:]])
