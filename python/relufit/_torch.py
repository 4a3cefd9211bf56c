"""PyTorch: networks as torch.nn.Sequential of Linear and ReLU, and back. PyTorch is imported only when used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._core import Model

if TYPE_CHECKING:
    import torch


def to_torch(model: Model, dtype: Any = None) -> torch.nn.Sequential:
    """The network on raw data (scalings folded in) as a torch.nn.Sequential of Linear and ReLU modules; of a
    classification it has the scores.

    dtype is a floating-point dtype of torch, float64 by default: then weights are those of `model.folded()` bit for
    bit, and `from_torch` gives them back.
    """
    import torch

    dtype = torch.float64 if dtype is None else dtype
    layers = model.folded().layers
    modules: list[torch.nn.Module] = []
    for index, (weights, bias) in enumerate(layers):
        linear = torch.nn.Linear(weights.shape[1], weights.shape[0], dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(np.array(weights)))
            linear.bias.copy_(torch.from_numpy(np.array(bias)))
        modules.append(linear)
        if index + 1 < len(layers) or model.output_activation == "relu":
            modules.append(torch.nn.ReLU())
    return torch.nn.Sequential(*modules)


def from_torch(
    network: torch.nn.Sequential, input_names: Sequence[str] | None = None, target_names: Sequence[str] | None = None
) -> Model:
    """A Model from a torch.nn.Sequential of Linear and ReLU modules (Dropout, Identity and Flatten are passed over).

    A Linear without bias gets biases 0; two Linear modules in a row are not multiplied out but refused. ValueError says
    which module does not fit.
    """
    import torch

    layers: list[tuple[np.ndarray, np.ndarray]] = []
    activated = True
    for index, module in enumerate(network):
        if isinstance(module, torch.nn.Linear):
            if not activated:
                raise ValueError(f"module {index}: Linear after Linear, expected a ReLU between them")
            weights = module.weight.detach().cpu().double().numpy()
            bias = np.zeros(len(weights)) if module.bias is None else module.bias.detach().cpu().double().numpy()
            layers.append((weights, bias))
            activated = False
        elif isinstance(module, torch.nn.ReLU) and layers:
            activated = True
        elif not isinstance(module, (torch.nn.Dropout, torch.nn.Identity, torch.nn.Flatten)):
            raise ValueError(f"module {index}: {type(module).__name__}, expected Linear, or ReLU after a Linear")
    if not layers:
        raise ValueError("network: no Linear module, expected at least one")
    return Model(layers, "relu" if activated else "linear", input_names=input_names, target_names=target_names)
