"""PyTorch: networks as torch.nn.Sequential of Linear and ReLU, and back. PyTorch is imported only when used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._core import Model

if TYPE_CHECKING:
    import torch

Activation = tuple[str, "float | None"]


def to_torch(model: Model, dtype: Any = None) -> torch.nn.Sequential:
    """The network on raw data (scalings folded in) as a torch.nn.Sequential of Linear and ReLU modules (or LeakyReLU,
    with the slope -1 for absolute values, or Hardtanh); of a classification it has the scores.

    dtype is a floating-point dtype of torch, float64 by default: then weights are those of `model.folded()` bit for
    bit, and `from_torch` gives them back. ValueError for networks with skip connections or maxout units, which are no
    Sequential.
    """
    import torch

    if model.skip_connections or model.activation == "maxout":
        kind = "skip connections" if model.skip_connections else "maxout"
        raise ValueError(f"model: with {kind}, which a torch.nn.Sequential does not have (ONNX does)")

    dtype = torch.float64 if dtype is None else dtype
    layers = model.folded().layers
    modules: list[torch.nn.Module] = []
    for index, (weights, bias) in enumerate(layers):
        linear = torch.nn.Linear(weights.shape[1], weights.shape[0], dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(np.array(weights)))
            linear.bias.copy_(torch.from_numpy(np.array(bias)))
        modules.append(linear)
        if index + 1 < len(layers):
            modules.append(_module(model))
        elif model.output_activation == "relu":
            modules.append(torch.nn.ReLU())
    return torch.nn.Sequential(*modules)


def from_torch(
    network: torch.nn.Sequential, input_names: Sequence[str] | None = None, target_names: Sequence[str] | None = None
) -> Model:
    """A Model from a torch.nn.Sequential of Linear and ReLU modules (Dropout, Identity and Flatten are passed over).

    Between Linear modules LeakyReLU, ReLU6 and Hardtanh (from -1 to 1, or from 0) do as well, everywhere the same. A
    Linear without bias gets biases 0; two Linear modules in a row are not multiplied out but refused. ValueError says
    which module does not fit.
    """
    import torch

    layers: list[tuple[np.ndarray, np.ndarray]] = []
    activations: list[Activation] = []
    activated = True
    for index, module in enumerate(network):
        if isinstance(module, torch.nn.Linear):
            if not activated:
                raise ValueError(f"module {index}: Linear after Linear, expected a ReLU between them")
            weights = module.weight.detach().cpu().double().numpy()
            bias = np.zeros(len(weights)) if module.bias is None else module.bias.detach().cpu().double().numpy()
            layers.append((weights, bias))
            activated = False
        elif layers and (activation := _activation(module)) is not None:
            if not activated or activations[-1:] != [activation]:
                activations.append(activation)
            activated = True
        elif not isinstance(module, (torch.nn.Dropout, torch.nn.Identity, torch.nn.Flatten)):
            raise ValueError(f"module {index}: {type(module).__name__}, expected Linear, or ReLU after a Linear")
    if not layers:
        raise ValueError("network: no Linear module, expected at least one")
    last = activations.pop() if activated else None
    if last not in (None, ("relu", None)):
        raise ValueError(f"network: {last[0]} after the last Linear, expected ReLU or none")
    if len(set(activations)) > 1:
        raise ValueError(f"network: activations {activations[0][0]} and others, expected the same after every Linear")
    name, parameter = activations[0] if activations else ("relu", None)
    return Model(layers, "relu" if activated else "linear", input_names=input_names, target_names=target_names,
                 activation=name, activation_parameter=parameter)  # fmt: skip


def _module(model: Model) -> torch.nn.Module:
    import torch

    if model.activation == "relu":
        return torch.nn.ReLU()
    if model.activation == "leaky-relu":
        return torch.nn.LeakyReLU(model.activation_parameter)
    if model.activation == "absolute":
        return torch.nn.LeakyReLU(-1.0)
    return (
        torch.nn.Hardtanh(-1.0, 1.0)
        if model.activation == "hard-tanh"
        else torch.nn.Hardtanh(0.0, model.activation_parameter)
    )


def _activation(module: torch.nn.Module) -> Activation | None:
    """Name and parameter; None for other modules."""
    import torch

    if isinstance(module, torch.nn.ReLU):
        return "relu", None
    if isinstance(module, torch.nn.LeakyReLU):
        return ("absolute", None) if module.negative_slope == -1 else ("leaky-relu", float(module.negative_slope))
    if isinstance(module, torch.nn.Hardtanh):  # ReLU6 is one, too
        if (module.min_val, module.max_val) == (-1, 1):
            return "hard-tanh", None
        if module.min_val == 0:
            return "clipped-relu", float(module.max_val)
    return None
