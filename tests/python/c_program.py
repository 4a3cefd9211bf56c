"""Models as C, compiled and run."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import relufit

C_MAIN = """
#include <stdio.h>
{includes}
int main(void) {{
{calls}
  return 0;
}}
"""
C_CALL = """  {{
    {real} inputs[{macro}_INPUTS], outputs[{macro}_OUTPUTS];
    int sample, i;
    for (sample = 0; sample < {samples}; ++sample) {{
      for (i = 0; i < {macro}_INPUTS; ++i) {{
        double value;
        if (scanf("%lf", &value) != 1) return 1;
        inputs[i] = ({real})value;
      }}
      {name}_predict(inputs, outputs);
      for (i = 0; i < {macro}_OUTPUTS; ++i) printf("%.17g\\n", (double)outputs[i]);
    }}
  }}
"""


def run_c(models: Sequence[relufit.Model], inputs: Sequence[np.ndarray], folder: Path, *flags: str) -> list[np.ndarray]:
    """Outputs of the models for their inputs (samples, inputs), whose type is that of C, by one strict C99 program that
    reads inputs and prints outputs."""
    text, includes, calls = [], "", ""
    for number, (model, given) in enumerate(zip(models, inputs)):
        model.to_c(str(folder / f"net{number}.h"), dtype=given.dtype.name)
        includes += f'#include "net{number}.h"\n'
        real = "double" if given.dtype == np.float64 else "float"
        calls += C_CALL.format(real=real, macro=f"NET{number}", name=f"net{number}", samples=len(given))
        text += [repr(float(value)) for value in given.ravel()]
    (folder / "main.c").write_text(C_MAIN.format(includes=includes, calls=calls))
    strict = "-std=c99 -Wall -Wextra -pedantic -Werror".split()
    subprocess.run(["cc", *strict, *flags, "main.c", "-o", "main"], cwd=folder, check=True)
    program = subprocess.run([folder / "main"], input="\n".join(text), capture_output=True, text=True, check=True)
    values = iter(map(float, program.stdout.split()))
    outputs = [
        np.array([[next(values) for _ in range(model.widths[-1])] for _ in given])
        for model, given in zip(models, inputs)
    ]
    assert next(values, None) is None
    return outputs
