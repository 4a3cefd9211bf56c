"""relufit and its peers on problems with a known exact network, in one run on one core.

    python bench/teachers --problems A,B,C,D,E:10,F10:6,F15:6,F20:6 --first-seed 5000

Problems: A 3-3-2 ReLU output, B 3-5-3 ReLU output, C 3-3-2, D 5-5-2, E 10-10-1, F and a width k: k-k-1 without biases,
output weights fixed to ones. A number behind a colon is how many of them are drawn, in place of --problems-count.

Every contestant gets the same problems and, on each, the same processor time: it makes starts until the budget is used
or --starts are made; a start is cut at the budget. Success is judged by plain evaluation of the network it returns on
the raw data: relative residual at most 1e-4 for peers and 1e-9 for relufit; on F half the mean squared error on 4000
fresh inputs below 1e-4 for all, and 1e-9 on the training data for relufit. A start of relufit is one `relufit train`
with default settings, which makes many short local fits until one is exact or its time is up: compare the expected time
to a success, not the success per start.

Outputs that are zero at every sample are left out for all, and such problems reported apart.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path

# Before NumPy and PyTorch are loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "bench")  # in place of this folder, whose modules are the package `teachers`

import torch  # noqa: E402

from teachers import convex_peer, machine, peers, relufit_runs, report, torch_peers  # noqa: E402
from teachers.contest import Contestant, race  # noqa: E402
from teachers.problems import Kind, Problem, draw, kind_named  # noqa: E402


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default="A,B,C,D,E:10,F10:6,F15:6,F20:6", help="default: %(default)s")
    parser.add_argument("--problems-count", type=int, default=20, help="problems of a kind, default %(default)s")
    parser.add_argument("--first-seed", type=int, default=5000, help="seed of the first problem, default %(default)s")
    parser.add_argument("--starts", type=int, default=100, help="starts on a problem at most, default %(default)s")
    parser.add_argument("--budget-seconds", type=float, help="per contestant and problem (default: by kind, 1 to 4)")
    parser.add_argument("--options", default="", help='more options of relufit, e.g. "--method relaxation"')
    parser.add_argument("--alone", action="store_true", help="without peers")
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/relufit", help="the program relufit")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results", help="folder of teachers.md and .json")
    parsed = parser.parse_args()
    for name in ("problems_count", "starts"):
        if getattr(parsed, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: {getattr(parsed, name)}, expected at least 1")
    if parsed.first_seed < 0:
        parser.error(f"--first-seed: {parsed.first_seed}, expected at least 0")
    if parsed.budget_seconds is not None and not parsed.budget_seconds > 0:
        parser.error(f"--budget-seconds: {parsed.budget_seconds:g}, expected a positive number")
    try:
        parsed.kinds = [kind_and_count(item, parsed.problems_count) for item in parsed.problems.split(",")]
    except ValueError as error:
        parser.error(str(error))
    return parsed


def kind_and_count(item: str, standard: int) -> tuple[Kind, int]:
    name, colon, count = item.partition(":")
    if colon and not (count.isdigit() and int(count) > 0):
        raise ValueError(f"--problems: '{item}', expected a number of problems behind the colon")
    return kind_named(name), int(count) if colon else standard


def compete(
    problems: list[Problem], contestants: list[Contestant], budget: float, most_starts: int, dead: bool
) -> report.Section:
    """Problem by problem, everyone on each, so that other load on the machine meets all alike."""
    kind = problems[0].kind
    refusals = {entry.name: entry.refuses(problems[0]) for entry in contestants}
    section = report.Section(kind, dead, {}, {name: reason for name, reason in refusals.items() if reason})
    for index, problem in enumerate(problems):
        for entry in contestants:
            if entry.name in section.refusals or (entry.most_problems is not None and index >= entry.most_problems):
                continue
            print(f"{kind.name}, seed {problem.seed}: {entry.name}", file=sys.stderr, flush=True)
            section.races.setdefault(entry.name, []).append(race(entry, problem, budget, most_starts))
    return section


def warm_up(kind: Kind, contestants: list[Contestant]) -> None:
    """Once before anything is timed: imports and first calls. On a problem of its own, seed 0."""
    problem = draw(kind, 0)
    for entry in contestants:
        if entry.refuses(problem) is None and entry.exact_width:
            entry.run(problem, range(1), 0.05)


def heading(facts: dict) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in facts["versions"].items())
    load = "{:.1f} at the start, {:.1f} at the end".format(*facts["load"])
    return f"""# Exact fits: relufit and peers

`python bench/teachers {facts["options"]}`, {facts["date"]}.

{facts["processor"]}, {facts["cores"]} cores, one used; {facts["system"]}; load of the machine {load}. {versions}.

In brackets 95% intervals (Wilson's, and what follows from them for times). What is measured, and how to read it:
[README.md](README.md#exact-fits-against-peers).
"""


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    contestants = [relufit_runs.contestant(options.program, options.options.split())]
    if not options.alone:
        contestants += [*peers.CONTESTANTS, *torch_peers.CONTESTANTS, convex_peer.CONTESTANT]
    facts = machine.description(options.program) | {
        "date": date.today().isoformat(),
        "load": [os.getloadavg()[0], 0.0],
        "options": f"--problems {options.problems} --problems-count {options.problems_count} "
        f"--first-seed {options.first_seed} --starts {options.starts}"
        + (f" --budget-seconds {options.budget_seconds:g}" if options.budget_seconds else "")
        + (f' --options "{options.options}"' if options.options else "")
        + (" --alone" if options.alone else ""),
    }
    sections = []
    for kind, count in options.kinds:
        warm_up(kind, contestants)
        seeds = range(options.first_seed, options.first_seed + count)
        problems = [problem for problem in (draw(kind, seed) for seed in seeds) if len(problem.targets) > 0]
        for dead in (False, True):
            group = [problem for problem in problems if (problem.dead_outputs > 0) == dead]
            if group:
                budget = options.budget_seconds or kind.budget
                sections.append(compete(group, contestants, budget, options.starts, dead))
                print(sections[-1].markdown(contestants), flush=True)
        facts["load"][1] = os.getloadavg()[0]
        report.write(options.out, heading(facts), facts, sections, contestants)


if __name__ == "__main__":
    main()
