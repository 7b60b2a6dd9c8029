"""A trained network as a PyTorch state dict: a safetensors file, and the lines of Python that load it.

The keys are those of an ``nn.Sequential`` of Linear layers and activations: ``0.weight``, ``0.bias``, ``2.weight``, …
Batch normalization is folded into them. PyTorch itself is not needed to write it.
"""

from os import PathLike
from typing import Any

import numpy as np

from muslin.errors import InputError
from muslin.files import write_tensors, write_text
from muslin.normalization import folded

#: activation → the module of torch.nn that is the same
MODULES = {
    "identity": "Identity()",
    "sigmoid": "Sigmoid()",
    "tanh": "Tanh()",
    "relu": "ReLU()",
    "leaky_relu": "LeakyReLU(0.01)",
    "elu": "ELU()",
    "gelu": 'GELU(approximate="tanh")',
    "silu": "SiLU()",
}
#: output → the line that makes it of the last layer's sums
OUTPUTS = {
    "softmax": "probabilities = model(X).softmax(dim=1)",
    "sigmoid": "probabilities = model(X).sigmoid()",
    "identity": "numbers = model(X)",
    "exponential": "counts = model(X).exp()",
}

PROGRAM = '''"""Loads {file} into PyTorch: pip install torch safetensors."""

import torch
from safetensors.torch import load_file
from torch import nn

model = nn.Sequential(
{layers}
)
model.load_state_dict(load_file("{file}"))
model.eval()

# X: a tensor (samples, {inputs}){note}
# with torch.no_grad():
#     {output}
'''


def state_dict(network: Any) -> dict[str, np.ndarray]:
    """{"0.weight": W⁽¹⁾, "0.bias": b⁽¹⁾, "2.weight": …}: PyTorch's weights are (n_k × n_{k−1}), as ours.

    Raises InputError for an activation that PyTorch has no module for.
    """
    if network.activation not in MODULES:
        raise InputError(f"PyTorch has no module for the activation {network.activation}; it is not exported.")
    tensors, network = {}, folded(network)
    for k in network.weights:
        tensors[f"{2 * (k - 1)}.weight"] = np.ascontiguousarray(network.weights[k])
        tensors[f"{2 * (k - 1)}.bias"] = network.biases[k][:, 0].copy()
    return tensors


def program(network: Any, file: str, uint8: bool = False) -> str:
    """The Python program that loads the file."""
    sizes, dtype = network.sizes, ", dtype=torch.float64" if network.dtype == np.float64 else ""
    lines = []
    for k in network.weights:
        lines.append(f"    nn.Linear({sizes[k - 1]}, {sizes[k]}{dtype}),")
        if k < network.L:
            lines.append(f"    nn.{MODULES[network.activation]},")
    note = ", bytes divided by 255" if uint8 else ""
    return PROGRAM.format(
        file=file, layers="\n".join(lines), inputs=sizes[0], note=note, output=OUTPUTS[network.output]
    )


def save(path: str | PathLike[str], program_path: str | PathLike[str], network: Any, uint8: bool = False) -> None:
    """Write the tensors to ``path`` and, beside it, the program that loads them."""
    from pathlib import Path

    write_tensors(path, state_dict(network), {})
    write_text(program_path, program(network, Path(path).name, uint8))
