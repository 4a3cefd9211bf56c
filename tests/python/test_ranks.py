"""Processes that train together through a communicator: here threads with the methods of mpi4py's that are used."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

import relufit


class ThreadComm:
    """One of `size` ranks; the others are other threads."""

    def __init__(self, rank: int, sent: list[Any], barrier: threading.Barrier) -> None:
        self._rank, self._sent, self._barrier = rank, sent, barrier

    def Get_size(self) -> int:
        return len(self._sent)

    def Get_rank(self) -> int:
        return self._rank

    def allgather(self, value: Any) -> list[Any]:
        self._sent[self._rank] = value
        self._barrier.wait(60)
        everything = list(self._sent)
        self._barrier.wait(60)
        return everything

    def Allgatherv(self, mine: np.ndarray, received: list[Any]) -> None:
        everything, counts = received
        pieces = self.allgather(np.array(mine))
        assert [piece.size for piece in pieces] == list(counts)
        everything[:] = np.concatenate(pieces)


def on_ranks(size: int, work: Callable[[ThreadComm], Any]) -> list[Any]:
    """What `work` returns, or the exception it raises, on every rank."""
    sent: list[Any] = [None] * size
    barrier = threading.Barrier(size)
    results: list[Any] = [None] * size

    def run(rank: int) -> None:
        try:
            results[rank] = work(ThreadComm(rank, sent, barrier))
        except Exception as error:
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def data(samples: int, inputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    u = generator.normal(size=(samples, inputs))
    return u, np.maximum(u[:, 0], 0) - np.abs(u[:, 1]) + 0.1 * generator.normal(size=samples)


def parts(samples: int, size: int) -> list[slice]:
    """Uneven: the first has few rows, the others the same."""
    cuts = [0, *(7 + (samples - 7) * i // max(size - 1, 1) for i in range(size - 1)), samples]
    return [slice(a, b) for a, b in zip(cuts, cuts[1:])]


def same_network(result: relufit.TrainResult, expected: relufit.TrainResult) -> bool:
    pairs = zip(result.model.layers, expected.model.layers)
    return all(np.array_equal(a, b) for mine, theirs in pairs for a, b in zip(mine, theirs))


@pytest.mark.parametrize(
    ("samples", "inputs", "options"),
    [
        (100, 3, {"hidden": [4], "ridge": 0.01, "starts": 3}),
        (90, 3, {"hidden": [3]}),
        (60, 2, {"hidden": [2, 2], "loss": "absolute", "ridge": 0.01, "iterations": 20}),
        (2000, 16, {"hidden": [150], "ridge": 0.01, "polish": False, "iterations": 5}),
    ],
)
def test_network_is_that_of_one_process(samples: int, inputs: int, options: dict[str, Any]) -> None:
    u, y = data(samples, inputs, 1)
    expected = relufit.train(u, y, **options)
    for size in (1, 2, 3):
        rows = parts(samples, size)

        def work(comm: ThreadComm) -> relufit.TrainResult:
            mine = rows[comm.Get_rank()]
            return relufit.train(u[mine], y[mine], **options, comm=comm)

        for result in on_ranks(size, work):
            assert same_network(result, expected)
            assert result.model.training.samples == samples
            assert result.evaluation.all.r2 == expected.evaluation.all.r2


def test_classes_are_given_where_ranks_may_miss_some() -> None:
    u, y = data(80, 2, 2)
    labels = np.where(y > 0, "up", "down")
    options: dict[str, Any] = {"hidden": [3], "loss": "logistic", "ridge": 0.01, "classes": ["down", "up"]}
    expected = relufit.train(u, labels, **options)
    order = np.argsort(labels, kind="stable")  # rank 0 has one class alone
    alone = relufit.train(u[order], labels[order], **options)

    def work(comm: ThreadComm) -> relufit.TrainResult:
        mine = order[:20] if comm.Get_rank() == 0 else order[20:]
        return relufit.train(u[mine], labels[mine], **options, comm=comm)

    assert all(same_network(result, alone) for result in on_ranks(2, work))
    assert expected.model.widths == alone.model.widths


def refused(size: int, arguments: Callable[[int], dict[str, Any]]) -> list[str]:
    results = on_ranks(size, lambda comm: relufit.train(**arguments(comm.Get_rank()), comm=comm))
    assert all(isinstance(result, ValueError) for result in results), results
    return [str(result) for result in results]


def test_what_one_rank_refuses_all_refuse() -> None:
    u, y = data(40, 3, 3)
    good: dict[str, Any] = {"inputs": u, "targets": y, "hidden": [2]}
    for message in refused(3, lambda rank: {**good, "inputs": u[:, : 3 - rank // 2]}):
        assert "rank 2: 2 inputs" in message
    broken = u.copy()
    broken[4, 1] = np.nan
    for message in refused(2, lambda rank: {**good, "inputs": broken if rank == 1 else u}):
        assert "sample 45 is nan" in message
    for message in refused(2, lambda rank: {**good, "hidden": "ten" if rank == 1 else [2]}):
        assert "hidden" in message
    for message in refused(2, lambda rank: {**good, "targets": np.ones(40)}):
        assert "in all 80 samples" in message


def test_what_needs_others_rows_is_given() -> None:
    u, y = data(40, 3, 3)
    good: dict[str, Any] = {"inputs": u, "targets": y, "hidden": [2]}
    for message in refused(2, lambda rank: {**good, "validation": 0.2}):
        assert "validation" in message
    for message in refused(2, lambda rank: {**good, "targets": y > 0, "loss": "logistic"}):
        assert "classes" in message


def test_what_is_no_communicator() -> None:
    u, y = data(20, 2, 4)
    with pytest.raises(ValueError, match="comm: .* expected a communicator of mpi4py"):
        relufit.train(u, y, [2], comm=object())


def test_row_groups_of_a_parquet_file(tmp_path: Path):
    """The function of docs/scale.md; one of five ranks gets none of four row groups."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    document = (Path(__file__).resolve().parents[2] / "docs" / "scale.md").read_text()
    code = document[document.index("def own_rows") : document.index("rows = own_rows")]
    exec(code, namespace := {"pyarrow": pyarrow})
    u, y = data(60, 2, 3)
    table = pyarrow.table({"a": u[:, 0], "b": u[:, 1], "y": y})
    parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=16)

    def train(rows: Any, **others: Any) -> relufit.TrainResult:
        return relufit.train(rows.drop_columns("y"), rows.select(["y"]), [3], ridge=0.01, iterations=3, **others)

    expected = train(table)
    for result in on_ranks(5, lambda comm: train(namespace["own_rows"](tmp_path / "rows.parquet", comm), comm=comm)):
        assert result.model.input_names == ["a", "b"] and result.model.target_names == ["y"]
        assert same_network(result, expected)
