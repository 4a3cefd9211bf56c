"""Processes that train together, through a communicator of mpi4py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

Gather = Callable[[np.ndarray, list[int], np.ndarray], None]
_Result = TypeVar("_Result")


def ranks_of(comm: Any) -> tuple[Gather, int, int]:
    """How the communicator's processes exchange numbers, how many they are, and which one this is."""
    if any(not callable(getattr(comm, name, None)) for name in ("Get_size", "Get_rank", "Allgatherv", "allgather")):
        raise ValueError(f"comm: {comm!r}, expected a communicator of mpi4py")

    def gather(mine: np.ndarray, counts: list[int], everything: np.ndarray) -> None:
        comm.Allgatherv(mine, [everything, counts])

    return gather, comm.Get_size(), comm.Get_rank()


def together(comm: Any | None, prepare: Callable[[], _Result]) -> _Result:
    """What this process prepares; where any of them refuses its arguments, all do, with the message of the first."""
    if comm is None:
        return prepare()
    prepared, message = None, None
    try:
        prepared = prepare()
    except ValueError as error:
        message = str(error)
    for rank, said in enumerate(comm.allgather(message)):
        if said is not None:
            raise ValueError(said if rank == comm.Get_rank() else f"{said} (on rank {rank})")
    return prepared  # type: ignore[return-value]
