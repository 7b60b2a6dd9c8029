"""All settings of a run: the one place for their names, defaults and descriptions.

The command line's flags, config files, `config.json` in a run directory and sweeps are made from this model.
"""

from collections import ChainMap
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator, model_validator

from muslin import datasets
from muslin.datasets import named
from muslin.documents import read_document
from muslin.engines import ENGINES
from muslin.errors import InputError, shown, unknown
from muslin.files import exists, expanded
from muslin.losses import pair
from muslin.network import FeedForwardNeuralNetwork
from muslin.optimizers import hyperparameters
from muslin.preparation.target import TASKS
from muslin.schedules import SCHEDULES
from muslin.training.settings import FULL_BATCH, OPTIONS, hyperparameters_of, optional, rule_of

#: setting → the names it may have
CHOICES: dict[str, Mapping[str, Any]] = {
    "activation": FeedForwardNeuralNetwork.activations,
    "initializer": FeedForwardNeuralNetwork.initializers,
    "normalization": FeedForwardNeuralNetwork.normalizations,
    "output": FeedForwardNeuralNetwork.outputs,
    "loss": FeedForwardNeuralNetwork.losses,
    # a view: a row more is a choice more
    "optimizer": ChainMap[str, Any](FeedForwardNeuralNetwork.optimizers, dict.fromkeys(FULL_BATCH)),
    "schedule": SCHEDULES,
    "engine": {"auto": None, **ENGINES},
    "dtype": {"float32": None, "float64": None},
    "task": dict.fromkeys(TASKS),
    "class_weight": {"none": None, "balanced": None},
}

#: settings that the network is made with
NETWORK = [
    "activation",
    "initializer",
    "initializer_scale",
    "normalization",
    "output",
    "loss",
    "seed",
    "dtype",
    "engine",
]

#: kind of target → what a data set has of it
WORDS = {"class": "classes", "labels": "labels", "numbers": "numbers"}

#: other spellings, as course notes and other libraries have them → ours
SPELLINGS = {
    "linear": "identity",
    "logistic": "sigmoid",
    "swish": "silu",
    "lrelu": "leaky_relu",
    "xavier_normal": "xavier",
    "glorot": "xavier",
    "glorot_normal": "xavier",
    "glorot_uniform": "xavier_uniform",
    "he_normal": "he",
    "kaiming": "he",
    "random_normal": "random",
    "zero": "zeros",
    "gd": "sgd",
    "vgd": "sgd",
    "vanilla": "sgd",
    "vanilla_gd": "sgd",
    "stochastic": "sgd",
    "gradient_descent": "sgd",
    "stochastic_gradient_descent": "sgd",
    "mgd": "momentum",
    "sgdm": "momentum",
    "sgd_momentum": "momentum",
    "momentum_gd": "momentum",
    "momentum_sgd": "momentum",
    "nesterov": "nag",
    "nesterov_accelerated_gradient": "nag",
    "nesterov_momentum": "nag",
    "logits": "identity",
    "batch_norm": "batch",
    "batchnorm": "batch",
    "batch_normalization": "batch",
    "mae": "mean_absolute_error",
    "l1": "mean_absolute_error",
    "absolute_error": "mean_absolute_error",
    "smooth_l1": "huber",
    "mse": "mean_squared_error",
    "mse_loss": "mean_squared_error",
    "squared_error": "mean_squared_error",
    "squared_loss": "mean_squared_error",
    "mean_squared_error_loss": "mean_squared_error",
    "cross": "cross_entropy",
    "cross_entropy_loss": "cross_entropy",
    "categorical_cross_entropy": "cross_entropy",
    "categorical_crossentropy": "cross_entropy",
}


def letters(name: str) -> str:
    """XavierUniform, xavier-uniform, Xavier uniform: in whatever way the words of a name are joined."""
    return "".join(c for c in str(name).lower() if c.isalnum())


LETTERS = {letters(spelling): name for spelling, name in SPELLINGS.items()}

#: what of the options of training is a setting of a run: all but what the run sees to itself
TRAINING = {name: row for name, row in OPTIONS.items() if name not in ("shuffle", "freeze", "seed")}

#: where a run starts from another value than `fit`
DEFAULTS = {"optimizer": "nadam"}

#: hyperparameter → {optimizer that has it: its default}
HYPERPARAMETERS: dict[str, dict[str, Any]] = {}
for _name, _rule in FeedForwardNeuralNetwork.optimizers.items():
    for _scalar, _default in hyperparameters(_rule).items():
        HYPERPARAMETERS.setdefault(_scalar, {})[_name] = _default

#: setting → what is right
RIGHT = (
    {name: row.metadata["rule"].words.removesuffix(", or None") for name, row in TRAINING.items()}
    | {name: rule_of(name).words for name in HYPERPARAMETERS}
    | {
        "hidden_layers": "a whole number from 0 to 1000",
        "hidden_size": "a whole number from 1, or one for each hidden layer, such as 256,128",
        "validation": "a share from 0 to below 1, or a whole number of samples",
        "seed": "a whole number from 0",
        "threads": "a whole number from 1 to 1024",
        "initializer_scale": "a number",
        "stratify": "true or false",
    }
)


class _DataAndNetwork(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str = Field("fashion_mnist", description="fashion_mnist, mnist, digits, or a path: table, .npz, folder")
    data_dir: str | None = Field(None, description="folder that holds the data set's files")
    target: str | None = Field(None, description="of a table: the column to predict")
    drop: str | None = Field(None, description="of a table: columns to leave out, such as id,name")
    task: str | None = Field(None, description="of a table: as its target is taken (default: by its values)")
    test: str | None = Field(None, description="of a table: share of rows to test on (default 0.2), or another table")
    encoding: str | None = Field(None, description="of a table: of its text, such as windows-1252 (default: UTF-8)")
    validation: int | float = Field(0.1, ge=0, description="share (or number) of training samples kept for validation")
    stratify: bool = Field(False, description="the same share of every class in the validation samples")

    hidden_layers: int = Field(3, ge=0, le=1000, description="number of hidden layers")
    hidden_size: int | list[int] = Field(128, description="units of each: one number, or a list such as 256,128")
    activation: str = Field("sigmoid", description="of the hidden layers")
    initializer: str = Field("xavier", description="of the weights")
    initializer_scale: float = Field(1.0, allow_inf_nan=False, description="factor on the initial weights")
    normalization: str = Field("none", description="of the hidden layers: batch, or none")
    output: str = Field("softmax", description="of the last layer; for numbers identity, for labels sigmoid")
    loss: str = Field("cross_entropy", description="what training minimizes; for numbers mean_squared_error")
    class_weight: str = Field("none", description="balanced: rare classes count as much as frequent ones; or none")


def _training_fields():
    """A field for each option of training, and behind the learning rate one for each hyperparameter of an optimizer."""
    for name, row in TRAINING.items():
        yield name, (row.type, Field(DEFAULTS.get(name, row.default), description=row.metadata["help"]))
        if name == "learning_rate":
            for own, of in HYPERPARAMETERS.items():
                default = " or ".join(f"{value:g}" for value in sorted({*of.values()} - {None}))
                words = f"of {', '.join(of)}" + (f" (default {default})" if default else "")
                yield own, (float | None, Field(None, description=words))


_Training = create_model("_Training", __base__=_DataAndNetwork, **dict(_training_fields()))


class Settings(_Training):  # type: ignore[misc, valid-type]  # its fields are the rows of a table
    """Make one with `Settings.read`, whose errors are sentences."""

    seed: int = Field(0, ge=0, description="of everything random")
    dtype: str = Field("float32", description="precision")
    engine: str = Field("auto", description="numba where it is installed, else numpy")
    threads: int | None = Field(None, ge=1, le=1024, description="of BLAS (default all cores)")

    @classmethod
    def read(cls, *sources: dict[str, Any]) -> Self:
        """The settings from several dictionaries, the later ones first in rank; what they leave out has its default.

        Raises InputError with one sentence for the first thing that is wrong.
        """
        settings = {str(name).replace("-", "_"): value for source in sources for name, value in source.items()}
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise InputError(_sentence(error.errors()[0])) from None

    @field_validator("*", mode="before")
    @classmethod
    def _number(cls, value, info):
        if isinstance(value, bool) and cls.model_fields[info.field_name].annotation is not bool:
            raise ValueError  # YAML's true is not the number 1
        return value

    @field_validator(*CHOICES, mode="before")
    @classmethod
    def _name(cls, value, info):
        if value is None and info.field_name == "task":
            return None
        table, joined = CHOICES[info.field_name], letters(value)
        if not isinstance(value, str):
            raise unknown(info.field_name, value, table)
        for spelling in (value, *(name for name in table if letters(name) == joined), LETTERS.get(joined)):
            if spelling in table:
                return spelling
        raise unknown(info.field_name, value, table)

    @field_validator("validation", mode="before")
    @classmethod
    def _share(cls, value):
        """A share is below 1, as a text too: 1.0 is not the one sample that 1 is."""
        if not isinstance(value, str | int | float):
            raise ValueError
        if float(value) >= 1 and (isinstance(value, float) or not str(value).isdigit()):
            raise ValueError
        return value

    @field_validator("dataset", "data_dir", mode="after")
    @classmethod
    def _absolute(cls, value, info):
        """The path of a user's own data, so that a run is evaluated from whichever folder."""
        if value is None or (info.field_name == "dataset" and named(value)):
            return value
        path = expanded(value)
        return str(path.absolute()) if exists(path) or info.field_name == "data_dir" else value

    @field_validator("hidden_size", mode="before")
    @classmethod
    def _sizes(cls, value):
        if isinstance(value, str):
            value = [int(n) for n in value.split(",")] if "," in value else int(value)
        numbers = value if isinstance(value, list | tuple) else [value]
        if not numbers or any(isinstance(n, bool) or not isinstance(n, Real) or n < 1 for n in numbers):
            raise ValueError
        return value

    @field_validator(*TRAINING, *HYPERPARAMETERS, mode="after")
    @classmethod
    def _rule(cls, value, info):
        row = TRAINING.get(info.field_name)
        rule = row.metadata["rule"] if row else optional(rule_of(info.field_name))
        if not rule.allows(value):
            raise ValueError
        return value

    @model_validator(mode="before")
    @classmethod
    def _layers(cls, values):
        """A list of sizes says the number of hidden layers too."""
        sizes, layers = values.get("hidden_size"), values.get("hidden_layers")
        if isinstance(sizes, str) and "," in sizes:
            sizes = sizes.split(",")
        if isinstance(sizes, list | tuple):
            if layers is not None and str(layers) != str(len(sizes)):
                number = shown(layers).strip("'")
                raise InputError(f"hidden_size lists {len(sizes)} layers, hidden_layers is {number}; give one of them.")
            return {**values, "hidden_layers": len(sizes)}
        return values

    def network(self, n_inputs: int, outputs: int) -> FeedForwardNeuralNetwork:
        """The network that these settings describe."""
        size = self.hidden_size
        hidden = list(size) if isinstance(size, list) else [size] * self.hidden_layers
        own = {name: getattr(self, name) for name in NETWORK}
        return FeedForwardNeuralNetwork([n_inputs, *hidden, outputs], **own)

    @property
    def table(self) -> datasets.TableOptions:
        """What is said of a table."""
        drop = tuple(name.strip() for name in (self.drop or "").split(",") if name.strip())
        return datasets.TableOptions(self.target, drop, self.task, self.test, self.encoding)

    def load_data(self, quiet: bool = False, data_dir: str | None = None) -> datasets.Dataset:
        """The data set; see `muslin.datasets.load`."""
        data_dir = data_dir or self.data_dir
        return datasets.load(self.dataset, data_dir=data_dir, quiet=quiet, table=self.table)

    def for_target(self, target: str) -> Self:
        """These settings with an output that says the kind of target, and a loss that goes with it, where none was
        named. Raises InputError for one that does not."""
        table, named = FeedForwardNeuralNetwork.outputs, self.model_fields_set
        fitting = next(name for name, row in table.items() if row.target == target)
        output = self.output if "output" in named else fitting
        says = table[output].target
        if says != target and (says, target) != ("counts", "numbers"):
            has = WORDS[target]
            raise InputError(f"The output {output} says {says}, and the data have {has}; it must be {fitting}.")
        loss = self.loss if "loss" in named else table[output].loss
        pair(FeedForwardNeuralNetwork.losses, loss, output)
        return self.model_copy(update={"output": output, "loss": loss})

    def training(self) -> dict[str, Any]:
        """The arguments of `muslin.training.fit`. A hyperparameter that the optimizer does not have is left out."""
        own = hyperparameters_of(self.optimizer, FeedForwardNeuralNetwork.optimizers)
        names = [*TRAINING, *(name for name in own if getattr(self, name, None) is not None)]
        return {name: getattr(self, name) for name in names}

    @property
    def weights(self) -> dict[str, Any]:
        """The arguments of `muslin.training.fit` that say how much samples count."""
        return {} if self.class_weight == "none" else {"class_weight": self.class_weight}


def _sentence(error):
    """One of pydantic's errors as a sentence that names the setting, its value and what is right."""
    name, cause = (error["loc"] or ("",))[0], error.get("ctx", {}).get("error")
    if error["type"] == "extra_forbidden":
        return str(unknown("setting", name, Settings.model_fields))
    if isinstance(cause, InputError):
        return str(cause)
    return f"{name} is {shown(error['input'])}; it must be {RIGHT.get(name, 'a text')}."


def read_file(path: Path) -> dict[str, Any]:
    """The settings in a YAML or JSON file, as a dictionary. Raises InputError, naming the file."""
    values = read_document(path, "config file")
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold settings, a line each, such as 'learning_rate: 0.001'.")
    return values
