"""relufit and its peers on teachers with two and three hidden layers, at equal processor time per problem.

    python bench/deep --problems 4-6-6-2x1,4-6-6-2x2,3-4-4-4-1x1,3-4-4-4-1x2 --count 20 --seconds 8

Problems: widths of a teacher (200 samples for 4-6-6-2, 300 for 3-4-4-4-1; drawn as the problems C to E of
bench/teachers), and how many times as wide the students' hidden layers are. Every contestant makes starts for the same
processor time on one core, ends early with an exact fit, and its best network counts: a relative residual on the raw
training data of at most 1e-9 is an exact fit. Levenberg-Marquardt, Adam and L-BFGS begin at PyTorch's default
initialization; relufit is `relufit train --loss exact` as a process, all that it takes included.

Races are written to --out one by one, and at the end tables beside it (.md); races already there are not run again
(--again NAME: but that contestant's are).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import date
from pathlib import Path

# Before NumPy and PyTorch are loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "bench")  # in place of this folder, whose modules are the package `deep`

import torch  # noqa: E402

from deep import relufit_run, report, torch_peers  # noqa: E402
from deep.contest import LEVENBERG_MARQUARDT, Contestant, race  # noqa: E402
from deep.problems import draw, kind_named  # noqa: E402
from teachers import machine  # noqa: E402

PROBLEMS = "4-6-6-2x1,4-6-6-2x2,3-4-4-4-1x1,3-4-4-4-1x2"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default=PROBLEMS, help="default: %(default)s")
    parser.add_argument("--count", type=int, default=20, help="problems of a kind, default %(default)s")
    parser.add_argument("--first-seed", type=int, default=6000, help="seed of the first problem, default %(default)s")
    parser.add_argument("--seconds", type=float, default=8, help="processor time of a race, default %(default)s")
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/relufit", help="the program relufit")
    parser.add_argument("--options", default="", help="further options of relufit train")
    parser.add_argument("--again", metavar="NAME", help="contestant whose races are run anew")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/deep.json", help="default: %(default)s")
    parsed = parser.parse_args()
    if parsed.count < 1:
        parser.error(f"--count: {parsed.count}, expected at least 1")
    if parsed.first_seed < 0:
        parser.error(f"--first-seed: {parsed.first_seed}, expected at least 0")
    if not parsed.seconds > 0:
        parser.error(f"--seconds: {parsed.seconds:g}, expected a positive number")
    try:
        parsed.kinds = [kind_named(name) for name in parsed.problems.split(",")]
    except ValueError as error:
        parser.error(f"--problems: {error}")
    return parsed


def read_races(path: Path, again: str | None) -> list[dict]:
    if not path.exists():
        return []
    return [race for race in json.loads(path.read_text())["races"] if race["contestant"] != again]


def write(path: Path, facts: dict, races: list[dict]) -> None:
    """One race per line, whole or not at all."""
    lines = ",\n  ".join(json.dumps(race) for race in races)
    text = json.dumps(facts, indent=1)[:-2] + f',\n "races": [\n  {lines}\n ]\n}}\n'
    beside = path.with_suffix(".part")
    beside.write_text(text)
    beside.replace(path)


def warm_up(contestants: list[Contestant]) -> None:
    """Once before anything is timed: imports and first calls. On a problem of its own."""
    problem = draw(kind_named("4-6-6-2x1"), 0)
    for entry in contestants:
        entry.run(problem, 0.05)


def heading(facts: dict) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in facts["versions"].items() if value != "not installed")
    options = facts["options"] or "none, the defaults"
    return f"""# Several hidden layers: relufit and peers

`python bench/deep`, {facts["seconds"]:g} processor seconds per race, {facts["date"]}; options of relufit: {options}.

{facts["processor"]}, {facts["cores"]} cores, one used; {facts["system"]}; {versions}.

How to read it: [README.md](README.md#several-hidden-layers-against-peers).
"""


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    own = relufit_run.contestant(options.program, options.options.split())
    contestants = [own, LEVENBERG_MARQUARDT, *torch_peers.CONTESTANTS]
    warm_up(contestants)
    facts = machine.description(options.program) | {
        "date": date.today().isoformat(),
        "seconds": options.seconds,
        "options": options.options,
    }
    races = read_races(options.out, options.again)
    done = {(record["problem"], record["seed"], record["contestant"]) for record in races}
    for kind in options.kinds:
        # Problem by problem, everyone on each, so that other load on the machine meets all alike.
        for seed in range(options.first_seed, options.first_seed + options.count):
            problem = draw(kind, seed)
            for entry in contestants:
                if (kind.name, seed, entry.name) not in done:
                    races.append(race(entry, problem, options.seconds))
                    write(options.out, facts, races)
                    print(races[-1], file=sys.stderr, flush=True)
        print(report.table(races, kind.name), flush=True)
    tables = [f"## {report.table(races, name)}" for name in dict.fromkeys(record["problem"] for record in races)]
    options.out.with_suffix(".md").write_text("\n".join([heading(facts), *tables]))


if __name__ == "__main__":
    main()
