"""All settings of a run: the one place for their names, defaults and descriptions.

The command line's flags, config files, `config.json` in a run directory and sweeps are made from this model.
"""

import json
from numbers import Real
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from muslin.engines import ENGINES
from muslin.errors import InputError, unknown
from muslin.network import FeedForwardNeuralNetwork
from muslin.schedules import SCHEDULES
from muslin.training.fit import RULES
from muslin.training.step import signature

#: setting → the names it may have
CHOICES = {
    "activation": FeedForwardNeuralNetwork.activations,
    "initializer": FeedForwardNeuralNetwork.initializers,
    "loss": FeedForwardNeuralNetwork.losses,
    "optimizer": FeedForwardNeuralNetwork.optimizers,
    "schedule": SCHEDULES,
    "engine": {"auto": None, **ENGINES},
    "dtype": {"float32": None, "float64": None},
}

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


def _letters(name):
    """XavierUniform, xavier-uniform, Xavier uniform: in whatever way the words of a name are joined."""
    return "".join(c for c in str(name).lower() if c.isalnum())


LETTERS = {_letters(spelling): name for spelling, name in SPELLINGS.items()}

#: setting → what is right, where the training loop has no rule for it
RIGHT = (
    {name: right for name, (_, right) in RULES.items()}
    | {
        "hidden_layers": "a whole number from 0",
        "hidden_size": "a whole number from 1, or one for each hidden layer, such as 256,128",
        "validation": "a share from 0 to below 1, or a whole number of samples",
        "seed": "a whole number from 0",
        "threads": "a whole number from 1 to 1024",
        "patience": "a whole number of epochs from 1",
        "label_smoothing": "at least 0 and below 1",
        "initializer_scale": "a number",
        "stratify": "true or false",
        "diagnostics": "true or false",
    }
    | dict.fromkeys(("momentum", "beta", "beta1", "beta2"), "at least 0 and below 1")
    | {"epsilon": "a number from 0"}
)


class Settings(BaseModel):
    """Make one with `Settings.read`, whose errors are sentences."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str = Field("fashion_mnist", description="fashion_mnist, mnist, digits, an .npz file or an IDX folder")
    data_dir: str | None = Field(None, description="folder that holds the data set's files")
    validation: int | float = Field(0.1, ge=0, description="share (or number) of training samples kept for validation")
    stratify: bool = Field(False, description="the same share of every class in the validation samples")

    hidden_layers: int = Field(3, ge=0, description="number of hidden layers")
    hidden_size: int | list[int] = Field(128, description="units of each: one number, or a list such as 256,128")
    activation: str = Field("sigmoid", description="of the hidden layers")
    initializer: str = Field("xavier", description="of the weights")
    initializer_scale: float = Field(1.0, allow_inf_nan=False, description="factor on the initial weights")
    loss: str = Field("cross_entropy", description="what training minimizes")

    optimizer: str = Field("nadam", description="rule that updates the parameters")
    learning_rate: float = Field(1e-3, description="η")
    momentum: float | None = Field(None, ge=0, lt=1, description="of momentum and nag (default 0.9)")
    beta: float | None = Field(None, ge=0, lt=1, description="of rmsprop (default 0.9)")
    beta1: float | None = Field(None, ge=0, lt=1, description="of adam, nadam, adamw (default 0.9)")
    beta2: float | None = Field(None, ge=0, lt=1, description="of adam, nadam, adamw (default 0.999)")
    epsilon: float | None = Field(None, ge=0, description="of rmsprop, adagrad, adam, nadam, adamw (default 1e-8)")
    schedule: str = Field("constant", description="of the learning rate")
    warmup: float = Field(0.0, description="epochs in which the learning rate rises from 0")
    epochs: int = Field(10, description="passes over the training samples")
    batch_size: int = Field(32, description="samples in a step")
    weight_decay: float = Field(0.0, description="λ of L2 weight decay")
    dropout: float = Field(0.0, description="probability with which a hidden unit is left out")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="of cross_entropy")
    clip_norm: float | None = Field(None, description="longest gradient")
    patience: int | None = Field(None, ge=1, description="early stopping: epochs without a better figure")
    monitor: str | None = Field(None, description="the figure that early stopping watches (default val_loss)")
    diagnostics: bool = Field(False, description="record gradient norms and dead units each epoch")

    seed: int = Field(0, ge=0, description="of everything random")
    dtype: str = Field("float32", description="precision")
    engine: str = Field("auto", description="numba where it is installed, else numpy")
    threads: int | None = Field(None, ge=1, le=1024, description="of BLAS (default all cores)")

    @classmethod
    def read(cls, *sources: dict[str, Any]):
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
        table, letters = CHOICES[info.field_name], _letters(value)
        for spelling in (str(value), *(name for name in table if _letters(name) == letters), LETTERS.get(letters)):
            if spelling in table:
                return spelling
        raise unknown(info.field_name, value, table)

    @field_validator("hidden_size", mode="before")
    @classmethod
    def _sizes(cls, value):
        if isinstance(value, str):
            value = [int(n) for n in value.split(",")] if "," in value else int(value)
        numbers = value if isinstance(value, list | tuple) else [value]
        if not numbers or any(isinstance(n, bool) or not isinstance(n, Real) or n < 1 for n in numbers):
            raise ValueError
        return value

    @field_validator(*RULES, mode="after")
    @classmethod
    def _rule(cls, value, info):
        if not RULES[info.field_name][0](value):
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
                raise InputError(f"hidden_size lists {len(sizes)} layers, hidden_layers is {layers}; give one of them.")
            return {**values, "hidden_layers": len(sizes)}
        return values

    def network(self, n_inputs, classes):
        """The network that these settings describe."""
        size = self.hidden_size
        hidden = list(size) if isinstance(size, list) else [size] * self.hidden_layers
        names = ("activation", "initializer", "initializer_scale", "loss", "seed", "dtype", "engine")
        return FeedForwardNeuralNetwork([n_inputs, *hidden, classes], **{name: getattr(self, name) for name in names})

    def training(self):
        """The arguments of `muslin.training.fit`. A hyperparameter that the optimizer does not have is left out."""
        names = set(RULES) | {"optimizer", "schedule", "label_smoothing", "patience", "monitor", "diagnostics"}
        scalars = signature(CHOICES["optimizer"][self.optimizer])[1]
        names |= {name for name in scalars if scalars[name] is not None and getattr(self, name, None) is not None}
        return {name: getattr(self, name) for name in names}


def _sentence(error):
    """One of pydantic's errors as a sentence that names the setting, its value and what is right."""
    name, cause = (error["loc"] or ("",))[0], error.get("ctx", {}).get("error")
    if error["type"] == "extra_forbidden":
        return str(unknown("setting", name, Settings.model_fields))
    if isinstance(cause, InputError):
        return str(cause)
    return f"{name} is {error['input']!r}; it must be {RIGHT.get(name, 'a text')}."


def read_file(path):
    """The settings in a YAML or JSON file, as a dictionary. Raises InputError, naming the file."""
    import yaml

    path = Path(path)
    parse = json.loads if path.suffix.lower() == ".json" else yaml.safe_load
    try:
        values = parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"Cannot read the config file {path}: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else getattr(error, "lineno", None)
        raise InputError(f"{path}{f', line {line}' if line else ''}: not valid YAML or JSON.") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold settings, a line each, such as 'learning_rate: 0.001'.")
    return values
