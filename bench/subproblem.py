"""One convex subproblem: relufit against conic solvers at equal accuracy, one thread each, cold start.

    python bench/subproblem.py --program build/release/solve_subproblem

Every solver runs in a process of its own, is asked for 1e-6, and its answer is checked against a common reference
(Clarabel at 1e-10 on the smallest blocks) before its time counts: relative error of the sum of weighted nuclear norms,
evaluated from singular values at the solver's own point, at most 1e-5, violation of signs at most 1e-4. Both are in the
table. Times are processor time (one thread each, so that other load does not matter), of the solver's set-up and all
iterations, without building matrices or any modelling layer (CSDP: its process, which includes reading the file), and
medians where a solve takes less than two seconds.

SCS with its nuclear-norm cone needs a build of SCS with spectral cones; name its folder in RELUFIT_SCS_SPECTRAL:
    pip install --target FOLDER --no-deps --no-binary scs scs -Csetup-args=-Duse_spectral_cones=true
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "reference"), str(ROOT / "bench")]

from conic_forms import ConicForm, conic_form, raw_objective  # noqa: E402
from instances import Pair, Instance, Product, solve  # noqa: E402

ACCURACY = 1e-6
LARGEST_ERROR = 1e-5
LARGEST_VIOLATION = 1e-4
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")}


def teacher_instance(widths: list[int], samples: int, output: str, seed: int = 0) -> Instance:
    """Data of a teacher; parameters minus its values perturbed by 0.1 (as the source starts)."""
    n0, n1, n2 = widths
    rng = np.random.default_rng(seed)
    w1, w2 = 0.5 * rng.standard_normal((n1, n0)), 0.5 * rng.standard_normal((n2, n1))
    b1, b2 = 0.1 * rng.standard_normal(n1), 0.1 * rng.standard_normal(n2)
    inputs = rng.standard_normal((n0, samples))
    z = w1 @ inputs + b1[:, None]
    active, slack = np.maximum(z, 0), np.maximum(-z, 0)
    targets = w2 @ active + b2[:, None]
    if output == "relu":
        targets = np.maximum(targets, 0)
    noise = np.random.default_rng(100 + seed)
    h0 = active + 0.1 * noise.standard_normal(active.shape)
    s0 = slack + 0.1 * noise.standard_normal(slack.shape)
    w0 = w2 + 0.1 * noise.standard_normal(w2.shape)
    pairs = Pair(-h0, -s0, np.ones_like(h0))
    return Instance(inputs, targets, [n1], [pairs], [Product(-w0, -h0)], output)


# ---------------------------------------------------------------------------------------------------------- solvers
# Each returns a function that solves once, cold, and returns (seconds, x).

Solve = Callable[[], tuple[float, np.ndarray]]


def scs_solver(form: ConicForm) -> Solve:
    import scs

    cone: dict[str, object] = {"l": form.nonnegative, "q": form.second_order}
    if form.nuclear is not None:
        cone |= {"nuc_m": [form.nuclear[0]], "nuc_n": [form.nuclear[1]]}
    else:
        cone["s"] = form.semidefinite
    data = {"A": form.A, "b": form.b, "c": form.c}

    def run() -> tuple[float, np.ndarray]:
        begin = time.process_time()
        # qdldl: on systems this small it is faster than MKL, the default.
        solver = scs.SCS(
            data, cone, verbose=False, eps_abs=ACCURACY, eps_rel=ACCURACY, max_iters=1000000, linear_solver="qdldl"
        )
        solution = solver.solve()
        if solution["info"]["status"] != "solved":
            raise RuntimeError(solution["info"]["status"])
        return time.process_time() - begin, solution["x"]

    return run


def clarabel_solver(form: ConicForm, accuracy: float = ACCURACY) -> Solve:
    import clarabel
    import scipy.sparse as sp

    cones = [clarabel.NonnegativeConeT(form.nonnegative)]
    cones += [clarabel.SecondOrderConeT(size) for size in form.second_order]
    cones += [clarabel.PSDTriangleConeT(order) for order in form.semidefinite]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = accuracy
    quadratic = sp.csc_matrix((len(form.c), len(form.c)))

    def run() -> tuple[float, np.ndarray]:
        begin = time.process_time()
        solution = clarabel.DefaultSolver(quadratic, form.c, form.A, form.b, cones, settings).solve()
        if str(solution.status) != "Solved":
            raise RuntimeError(str(solution.status))
        return time.process_time() - begin, np.array(solution.x)

    return run


def csdp_solver(instance: Instance, program: Path, folder: Path, split: bool) -> Solve:
    solve(program, instance, folder, max_iterations=1, export=str(folder / "subproblem.dat-s"), split_products=split)
    values = {
        "axtol": ACCURACY, "atytol": ACCURACY, "objtol": ACCURACY, "pinftol": 1e8, "dinftol": 1e8, "maxiter": 100,
        "minstepfrac": 0.9, "maxstepfrac": 0.97, "minstepp": 1e-8, "minstepd": 1e-8, "usexzgap": 1, "tweakgap": 0,
        "affine": 0, "printlevel": 1, "perturbobj": 1, "fastmode": 0,
    }  # fmt: skip
    (folder / "param.csdp").write_text("".join(f"{name}={value}\n" for name, value in values.items()))

    def run() -> tuple[float, np.ndarray]:
        command = ["csdp", "subproblem.dat-s", "subproblem.sol"]
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = end.ru_utime - begin.ru_utime + end.ru_stime - begin.ru_stime
        if done.returncode != 0:
            raise RuntimeError(f"csdp returned {done.returncode}")
        with open(folder / "subproblem.sol") as file:
            return seconds, np.array(file.readline().split(), dtype=float)

    return run


def literal_solver(instance: Instance) -> Solve:
    """The source's form: diag(vec(H)) I diag(vec(S)) = 0 as one block, through CVXPY, whose own work is not timed."""
    import cvxpy as cp

    n0, n1, n2 = instance.widths
    ones = np.ones((1, instance.samples))
    w1, b1, w2, b2 = (cp.Variable(shape) for shape in ((n1, n0), (n1, 1), (n2, n1), (n2, 1)))
    h, s, z = (cp.Variable((rows, instance.samples)) for rows in (n1, n1, n2))
    pairs, term = instance.pair[0], instance.product[0]
    a, b, x, y = (cp.diag(cp.vec(part, order="F")) for part in (h, s, pairs.x, pairs.y))
    block = cp.bmat([[a @ y + x @ b + x @ y, a + x], [b + y, np.eye(pairs.x.size)]])
    c = z - b2 @ ones
    product = cp.bmat([[c + w2 @ term.y + term.x @ h + term.x @ term.y, w2 + term.x], [h + term.y, np.eye(n1)]])
    norms = instance.lambda_pair * cp.normNuc(block) + instance.lambda_product * cp.normNuc(product)
    positive = instance.targets > 0
    constraints = [w1 @ instance.inputs + b1 @ ones == h - s, h >= 0, s >= 0]
    if instance.output == "linear":
        constraints.append(z == instance.targets)
    else:
        constraints += [cp.multiply(positive, z - instance.targets) == 0, cp.multiply(~positive, z) <= 0]
    problem = cp.Problem(cp.Minimize(norms), constraints)
    data, chain, inverse_data = problem.get_problem_data(cp.SCS)
    settings = {"eps_abs": ACCURACY, "eps_rel": ACCURACY, "max_iters": 1000000, "linear_solver": "qdldl"}

    def run() -> tuple[float, np.ndarray]:
        begin = time.process_time()
        solution = chain.solve_via_data(problem, data, False, False, settings)
        seconds = time.process_time() - begin
        problem.unpack_results(solution, chain, inverse_data)
        parts = [part.value.ravel(order="F") for part in (w1, b1, w2, b2, h)]
        if instance.output == "relu":
            parts.append(z.value.ravel(order="F")[~positive.ravel(order="F")])
        return seconds, np.concatenate(parts)

    return run


SOLVERS = {
    "scs nuclear": "SCS, second-order cones + its nuclear-norm cone",
    "scs whole": "SCS, second-order cones + one semidefinite block",
    "scs split": "SCS, second-order cones + one small block per column",
    "clarabel whole": "Clarabel, second-order cones + one semidefinite block",
    "clarabel split": "Clarabel, second-order cones + one small block per column",
    "csdp whole": "CSDP, 4 x 4 blocks + one semidefinite block",
    "csdp split": "CSDP, 4 x 4 blocks + one small block per column",
    "literal": "SCS, the source's literal form through CVXPY",
}


def reason_to_skip(name: str, instance: Instance) -> str | None:
    samples, inner = instance.samples, instance.hidden[0]
    order = samples + 2 * inner + instance.targets.shape[0]
    entries = order * (order + 1) // 2
    if name == "clarabel whole" and entries > 10000:
        return f"its dense {entries} x {entries} block needs {entries**2 * 4e-9:.0f} GB"
    if name == "csdp whole" and entries > 10000:
        return f"its dense matrix of {entries} variables and more needs over {entries**2 * 8e-9:.0f} GB"
    if name == "literal" and samples * inner > 90:
        return f"a semidefinite block of order {4 * samples * inner}"
    if name.startswith("csdp") and shutil.which("csdp") is None:
        return "csdp is not installed"
    if name == "scs nuclear" and "RELUFIT_SCS_SPECTRAL" not in os.environ:
        return "no build of SCS with spectral cones named in RELUFIT_SCS_SPECTRAL"
    return None


def make_solver(name: str, instance: Instance, program: Path, folder: Path) -> Solve:
    if name == "literal":
        return literal_solver(instance)
    solver, product = name.split()
    if solver == "csdp":
        return csdp_solver(instance, program, folder, product == "split")
    if solver == "scs":
        return scs_solver(conic_form(instance, product, "lower"))
    return clarabel_solver(conic_form(instance, product, "upper"))


def work(name: str, instance_path: Path, program: Path) -> None:
    """In a process of its own: solves, repeats short solves, prints JSON."""
    instance = pickle.loads(instance_path.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        run = make_solver(name, instance, program, Path(folder))
        seconds, x = run()
        times = [seconds]
        while len(times) < 7 and sum(times) < 2:
            times.append(run()[0])
    objective, violation = raw_objective(instance, x)
    print(json.dumps({"seconds": statistics.median(times), "objective": objective, "violation": violation}))


# ----------------------------------------------------------------------------------------------------------- the table


def run_worker(name: str, instance_path: Path, program: Path, limit: float) -> dict:
    environment = {**os.environ, **ONE_THREAD}
    if name == "scs nuclear":
        environment["PYTHONPATH"] = os.environ["RELUFIT_SCS_SPECTRAL"]
    command = [sys.executable, __file__, "--worker", name, "--instance", instance_path, "--program", program]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"skipped": f"no answer within {limit:g} s"}
    if done.returncode != 0:
        return {"skipped": f"failed: {done.stderr.strip().splitlines()[-1]}"}
    return json.loads(done.stdout.splitlines()[-1])


def relufit(instance: Instance, program: Path, folder: Path) -> dict:
    result = solve(program, instance, folder, tolerance=ACCURACY, repeat=201)
    assert result["status"] == "converged", result["status"]
    violations = result["violations"]
    return {
        "seconds": result["processor_seconds"]["median"],
        "objective": result["objective"] + instance.constant,
        "violation": max(violations[kind] for kind in ("affine", "sign", "output")),
    }


def compare(title: str, instance: Instance, program: Path, limit: float) -> None:
    _, x = clarabel_solver(conic_form(instance, "split", "upper"), accuracy=1e-10)()
    reference, _ = raw_objective(instance, x)
    print(f"\n{title}: reference optimum {reference:.8f}\n")
    print("| solver and form | seconds | times relufit | relative error | violation |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        path = folder / "instance.pickle"
        path.write_bytes(pickle.dumps(instance))
        base = None
        for name, description in {"relufit": "relufit", **SOLVERS}.items():
            reason = None if name == "relufit" else reason_to_skip(name, instance)
            if reason is not None:
                result = {"skipped": reason}
            elif name == "relufit":
                result = relufit(instance, program, folder)
                base = result["seconds"]
            else:
                result = run_worker(name, path, program, limit)
            print(table_row(description, result, reference, base), flush=True)


def table_row(description: str, result: dict, reference: float, base: float) -> str:
    if "skipped" in result:
        return f"| {description} | - | {result['skipped']} | | |"
    error, violation = result["objective"] / reference - 1, result["violation"]
    if abs(error) > LARGEST_ERROR or violation > LARGEST_VIOLATION:
        return f"| {description} | - | wrong answer | {error:.1e} | {violation:.1e} |"
    seconds = result["seconds"]
    return f"| {description} | {seconds:.3g} | {seconds / base:.3g} | {error:.1e} | {violation:.1e} |"


def machine() -> str:
    import clarabel
    import cvxpy
    import scs

    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    versions = f"SCS {scs.__version__}, Clarabel {clarabel.__version__}, CVXPY {cvxpy.__version__}"
    return f"{model}, {os.cpu_count()} cores, one used; {platform.system()}; {versions}, NumPy {np.__version__}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ROOT / "build/release/solve_subproblem"
    parser.add_argument("--program", type=Path, default=default, help="the program solve_subproblem")
    parser.add_argument("--limit", type=float, default=600, help="seconds a solver may take, all repetitions together")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--instance", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    if arguments.worker:
        work(arguments.worker, arguments.instance, program)
        return
    os.environ.update(ONE_THREAD)
    print(f"Machine: {machine()}")
    compare("3-3-2, N = 30, ReLU output", teacher_instance([3, 3, 2], 30, "relu"), program, arguments.limit)
    compare("5-5-2, N = 60, linear output", teacher_instance([5, 5, 2], 60, "linear"), program, arguments.limit)
    compare("3-3-2, N = 300, ReLU output", teacher_instance([3, 3, 2], 300, "relu"), program, arguments.limit)


if __name__ == "__main__":
    main()
