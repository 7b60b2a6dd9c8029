"""A trained network as a safetensors file: ``weights.k``, ``biases.k`` (of a normalized one also ``gammas.k``,
``running_means.k``, ``running_variances.k``) and the config."""

from os import PathLike
from typing import Any, ClassVar

import numpy as np

from muslin import drawings
from muslin.errors import InputError
from muslin.export import incoming
from muslin.files import damaged, read_tensors, write_tensors
from muslin.inputs import Scale
from muslin.memory import Parameters


def save(network: Any, path: str | PathLike[str]) -> None:
    """Write all parameters and the config to a safetensors file, whole or not at all."""
    write_tensors(path, tensors_of(network), metadata_of(network))


def load(kind: type, path: str | PathLike[str], engine: str = "auto") -> Any:
    """The network that `save` wrote. Raises InputError where the file is missing, damaged or none of ours."""
    tensors, metadata = read_tensors(path, "model file")
    return restored(kind, tensors, metadata, path, engine)


def tensors_of(network: Any) -> dict[str, np.ndarray]:
    return {f"{name}.{k}": np.ascontiguousarray(view) for name, k, view in _views(network)}


def metadata_of(network: Any) -> dict[str, Any]:
    return {"muslin": network.config, "scale": network.scale}


def restored(
    kind: type, tensors: dict[str, np.ndarray], metadata: Any, path: str | PathLike[str], engine: str = "auto"
) -> Any:
    """The network of which `tensors_of` and `metadata_of` were read from a file."""
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
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(damaged(path, "model file")) from error
    return network


def _views(network: Any) -> list[tuple[str, int, np.ndarray]]:
    groups = ("weights", "biases", "gammas", "running_means", "running_variances")
    return [(name, k, view) for name in groups for k, view in getattr(network.parameters, name).items()]


class Storable:
    """How a network is written, read, copied, shown, and taken over from other libraries."""

    save = save
    load: ClassVar[Any] = classmethod(load)
    from_torch: ClassVar[Any] = classmethod(incoming.from_torch)
    from_sklearn: ClassVar[Any] = classmethod(incoming.from_sklearn)
    from_keras: ClassVar[Any] = classmethod(incoming.from_keras)
    from_onnx: ClassVar[Any] = classmethod(incoming.from_onnx)

    @property
    def config(self: Any) -> dict[str, Any]:
        """What `FeedForwardNeuralNetwork(**config)` needs to make a network of this kind."""
        names = ("sizes", "activation", "initializer", "normalization", "output", "loss", "seed", "initializer_scale")
        return {name: getattr(self, name) for name in names} | {"dtype": self.dtype.name}

    def twin(self: Any) -> Any:
        """The same network with parameters of its own, whatever its class."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        twin._own(Parameters(self.sizes, self.dtype, self.normalizer is not None))
        twin.parameters.values[...] = self.parameters.values
        return twin

    def __getstate__(self: Any) -> dict[str, Any]:
        values = self.parameters.values
        return {"config": self.config, "engine": self.engine_name, "values": values, "scale": self.scale}

    def __setstate__(self: Any, state: dict[str, Any]) -> None:
        self.__init__(**state["config"], engine=state["engine"])
        self.parameters.values[...], self.scale = state["values"], state["scale"]

    def __repr__(self: Any) -> str:
        shape = "-".join(map(str, self.sizes))
        return f"<FeedForwardNeuralNetwork {shape}, {self.activation}, {self.theta.size:,} parameters>"

    def _repr_html_(self: Any) -> str:
        """The picture that a notebook shows: layers, units, weights."""
        labels = ["inputs", *[self.activation] * (self.L - 1), self.output]
        return drawings.network(self.sizes, labels, repr(self).strip("<>"))
