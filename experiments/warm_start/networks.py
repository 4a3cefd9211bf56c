"""Networks of one task side by side in PyTorch, as tensors (networks, rows, columns), and what is minimized."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from teachers.problems import Network

from warm_start.tasks import RIDGE, Task


def pack(network: Network, fixed_output: bool) -> list[np.ndarray]:
    """Parts that are trained: [W1 b1], W2, b2 as a column; with fixed output weights W1 alone."""
    if fixed_output:
        return [network.w1]
    return [np.column_stack([network.w1, network.b1]), network.w2, network.b2[:, None]]


def unpack(parts: Sequence[np.ndarray]) -> Network:
    if len(parts) == 1:
        (w1,) = parts
        return Network(w1, np.zeros(len(w1)), np.ones((1, len(w1))), np.zeros(1))
    hidden, w2, b2 = parts
    return Network(hidden[:, :-1], hidden[:, -1], w2, b2[:, 0])


class Objective:
    """Of a task, for many networks at once."""

    def __init__(self, task: Task):
        self.task = task
        inputs = task.inputs if task.fixed_output else np.vstack([task.inputs, np.ones(task.inputs.shape[1])])
        self.inputs, self.targets = torch.from_numpy(inputs), torch.from_numpy(task.targets)

    def outputs(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """(networks, outputs, samples)"""
        hidden = parts[0]
        active = torch.relu(hidden.flatten(0, 1) @ self.inputs).unflatten(0, hidden.shape[:2])
        if len(parts) == 1:
            return active.sum(dim=1, keepdim=True)
        outputs = torch.baddbmm(parts[2], parts[1], active)
        return torch.relu(outputs) if self.task.relu_output else outputs

    def __call__(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """(networks,)"""
        outputs = self.outputs(parts)
        if self.task.loss == "fit":
            return (outputs - self.targets).square().mean(dim=(1, 2))
        weights = parts[0][:, :, :-1].square().sum(dim=(1, 2)) + parts[1].square().sum(dim=(1, 2))
        if self.task.loss == "squared":
            losses = 0.5 * (outputs - self.targets).square().mean(dim=(1, 2))
        else:
            targets = self.targets.expand(len(outputs), -1)
            losses = torch.nn.functional.cross_entropy(outputs, targets, reduction="none").mean(dim=1)
        return losses + 0.5 * RIDGE * weights


def level(task: Task, network: Network) -> float:
    """Infinite where it is not finite."""
    parts = [torch.from_numpy(np.array(part))[None] for part in pack(network, task.fixed_output)]
    found = task.level(Objective(task)(parts).item())
    return found if np.isfinite(found) else float("inf")


def dead_units(task: Task, network: Network) -> int:
    """Hidden units that no training sample activates."""
    return int((network.w1 @ task.inputs + network.b1[:, None] <= 0).all(axis=1).sum())


def held_out(task: Task, network: Network) -> tuple[float | None, float | None]:
    """Loss without ridge on the rows held out, and for classes accuracy."""
    if task.held_out_inputs is None:
        return None, None
    outputs, targets = torch.from_numpy(network(task.held_out_inputs, False)), torch.from_numpy(task.held_out_targets)
    if task.loss == "squared":
        return 0.5 * (outputs - targets).square().mean().item(), None
    accuracy = (outputs.argmax(dim=0) == targets).double().mean().item()
    return torch.nn.functional.cross_entropy(outputs.T, targets).item(), accuracy
