"""train.py's table of arguments, as the course prints it (both editions), and what they mean here."""

import argparse
import re
from pathlib import Path
from typing import Any, NoReturn

from muslin.errors import InputError
from muslin.runs.settings import CHOICES, Settings

#: train.py's defaults: the best configuration that we found. What is not here has the default of `Settings`.
BEST = {
    "hidden_layers": 4,
    "hidden_size": 128,
    "activation": "relu",
    "initializer": "he",
    "optimizer": "nadam",
    "learning_rate": 1e-3,
    "batch_size": 32,
    "epochs": 10,
    "weight_decay": 0.0,
    "schedule": "cosine",
}

#: flags → the setting, and its default in the course's table
TABLE = {
    "-d --dataset": ("dataset", "fashion_mnist"),
    "-e --epochs": ("epochs", 1),
    "-b --batch_size": ("batch_size", 4),
    "-l --loss": ("loss", "cross_entropy"),
    "-o --optimizer": ("optimizer", "sgd"),
    "-lr --learning_rate": ("learning_rate", 0.1),
    "-m --momentum": ("momentum", 0.5),
    "-beta --beta": ("beta", 0.5),
    "-beta1 --beta1": ("beta1", 0.5),
    "-beta2 --beta2": ("beta2", 0.5),
    "-eps --epsilon": ("epsilon", "0.000001"),
    "-w_d -wd --weight_decay": ("weight_decay", 0.0),
    "-w_i -wi --weight_init": ("initializer", "random"),
    "-nhl --num_layers": ("hidden_layers", 1),
    "-sz --hidden_size": ("hidden_size", 4),
    "-a --activation": ("activation", "sigmoid"),
}

#: flags that the course does not have → the setting
BEYOND = {
    "--data-dir --data_dir": "data_dir",
    "--validation": "validation",
    "--schedule": "schedule",
    "--dropout": "dropout",
    "--seed": "seed",
    "--diagnostics": "diagnostics",
    "--engine": "engine",
}


class Parser(argparse.ArgumentParser):
    """One that says what was wrong as an InputError."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].upper()}{message[1:].rstrip('.')}; see: python {self.prog} --help")


def parser() -> Parser:
    """The parser of train.py. What is not given is not in its namespace, if it is a setting."""
    reader = Parser("train.py", description="Train a network, measure it, and show both on W&B.", allow_abbrev=False)
    add_wandb(reader)
    for flags, (setting, theirs) in TABLE.items():
        _add(reader, flags, setting, f"the course's table: {theirs}")
    reader.add_argument("--model_save_path", type=Path, metavar="PATH", help="write the model here, too (safetensors)")
    beyond = reader.add_argument_group("beyond the course's table")
    for flags, setting in BEYOND.items():
        _add(beyond, flags, setting)
    beyond.add_argument("--name", metavar="X", help="of the run (default: made from its settings)")
    add_runs_dir(beyond)
    text = "measure the model on the test set (default true)"
    beyond.add_argument("--test", type=boolean, nargs="?", const=True, default=True, metavar="X", help=text)
    beyond.add_argument("--tracker", metavar="X", help="wandb (the default where it is installed), or none")
    return reader


def add_wandb(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-wp", "--wandb_project", metavar="X", help="of W&B (default: muslin)")
    parser.add_argument("-we", "--wandb_entity", metavar="X", help="of W&B (default: one's own)")


def add_runs_dir(parser: argparse._ActionsContainer) -> None:
    names = ("--runs-dir", "--runs_dir")
    parser.add_argument(*names, type=Path, metavar="PATH", help="folder that the run directory is made in")


def _add(parser: argparse._ActionsContainer, flags: str, setting: str, theirs: str = "") -> None:
    field = Settings.model_fields[setting]
    several: dict[str, Any] = {"hidden_size": {"nargs": "+"}, "diagnostics": {"nargs": "?", "const": "true"}}.get(
        setting, {}
    )
    choices = f": {', '.join(CHOICES[setting])}" if setting in CHOICES else ""
    ours = BEST.get(setting, field.default)
    default = f"default {ours}" if ours is not None else ""
    notes = "; ".join(filter(None, (default, theirs)))
    text = f"{field.description}{choices}{f' ({notes})' if notes else ''}"
    parser.add_argument(*flags.split(), dest=setting, default=argparse.SUPPRESS, metavar="X", help=text, **several)


def boolean(word: str) -> bool:
    """A boolean as a W&B agent passes it: ``--test=False``."""
    if word.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{word!r} is not true or false")
    return word.lower() == "true"


def positive(word: str) -> int:
    if not word.isdecimal() or not int(word):
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from 1")
    return int(word)


def settings(arguments: argparse.Namespace) -> Settings:
    """The settings that parsed arguments mean. Raises InputError."""
    names = {*BEYOND.values(), *(setting for setting, _ in TABLE.values())}
    values = {name: value for name, value in vars(arguments).items() if name in names}
    if "hidden_size" in values:
        sizes = re.findall(r"[^\s,\[\]()]+", " ".join(values["hidden_size"]))
        layers = {"hidden_layers": len(sizes)} if len(sizes) > 1 else {}
        values = layers | values | {"hidden_size": ",".join(sizes)}
    return Settings.read(BEST, values)
