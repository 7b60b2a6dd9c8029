"""A trained network as a safetensors file: ``weights.k``, ``biases.k`` and the config."""

from os import PathLike
from typing import Any

import numpy as np

from muslin.errors import InputError
from muslin.files import damaged, read_tensors, write_tensors
from muslin.inputs import Scale


def save(network: Any, path: str | PathLike[str]) -> None:
    """Write weights, biases and config to a safetensors file, whole or not at all."""
    tensors = {f"{name}.{k}": np.ascontiguousarray(view) for name, k, view in _views(network)}
    write_tensors(path, tensors, {"muslin": network.config, "scale": network.scale})


def load(kind: type, path: str | PathLike[str], engine: str = "auto") -> Any:
    """The network that `save` wrote. Raises InputError where the file is missing, damaged or none of ours."""
    tensors, metadata = read_tensors(path, "model file")
    try:
        network = kind(**metadata["muslin"], engine=engine)
        scale = metadata.get("scale")
        network.scale = scale and Scale(*scale)
        for name, k, view in _views(network):
            if tensors[f"{name}.{k}"].shape != view.shape:
                raise KeyError(f"{name}.{k}")
            view[...] = tensors[f"{name}.{k}"]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError) as error:
        raise InputError(damaged(path, "model file")) from error
    return network


def _views(network: Any) -> list[tuple[str, int, np.ndarray]]:
    arrays = {"weights": network.weights, "biases": network.biases}
    return [(name, k, view) for name, views in arrays.items() for k, view in views.items()]
