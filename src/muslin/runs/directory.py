"""Runs: from settings to a directory that holds everything about one training.

runs/<name>/config.json               every setting, versions, data checksums
            preparation.json          of a table: how its columns become numbers
            history.jsonl             one object an epoch
            checkpoint.safetensors    the state after the last finished epoch
            summary.json              the figures of the finished run; test figures once evaluated
            model.safetensors         the trained network
"""

import platform
import re
import shlex
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from muslin import datasets
from muslin.engines import blas
from muslin.errors import InputError
from muslin.files import read_json, read_json_lines, read_tensors, write_json, write_json_lines
from muslin.network import FeedForwardNeuralNetwork
from muslin.runs.settings import Settings
from muslin.training import Callback
from muslin.training.callbacks import best_epoch
from muslin.training.metrics import NAMES, measure
from muslin.training.settings import TrainingSettings

VERSIONS = ("muslin", "numpy", "numba", "scikit-learn")


@dataclass(frozen=True)
class Run:
    """A run directory, read when asked. Raises InputError where a file is missing or damaged."""

    path: Path

    @property
    def config(self):
        if not self.path.is_dir():
            raise InputError(f"There is no run directory {self.path}.")
        if not (self.path / "config.json").exists():
            raise InputError(f"{self.path} is not a run directory: it has no config.json.")
        return _facts(self.path / "config.json", "name", "data_checksums")

    @property
    def settings(self):
        return Settings.read({k: v for k, v in self.config.items() if k in Settings.model_fields})

    @property
    def name(self):
        return self.config["name"]

    @property
    def history(self):
        return read_json_lines(self.path / "history.jsonl")

    @property
    def finished(self):
        return (self.path / "summary.json").exists()

    @property
    def summary(self):
        if not self.finished:
            self.config  # noqa: B018 (says what else may be wrong)
            raise InputError(f"{self.path} has not finished training; go on with: {self.resume_line}")
        return _facts(self.path / "summary.json", "epochs")

    @property
    def checkpoint(self):
        return self.path / "checkpoint.safetensors"

    @property
    def saved_epochs(self):
        """The number of epochs that need not be trained again."""
        return read_tensors(self.checkpoint, "checkpoint")[1]["state"]["epoch"] if self.checkpoint.exists() else 0

    @property
    def resume_line(self):
        """What to type to go on with this run."""
        return shlex.join(["muslin", "train", "--resume", str(self.path)])

    @property
    def table(self):
        """The `muslin.datasets.TableFacts` of the table that it was trained on; None if it was none."""
        path = self.path / "preparation.json"
        return datasets.TableFacts.from_json(read_json(path)) if path.exists() else None

    @property
    def model(self):
        """The trained network."""
        self.summary  # noqa: B018
        return FeedForwardNeuralNetwork.load(self.path / "model.safetensors")

    def model_for(self, data):
        """The trained network. Raises InputError where it has not the inputs and classes of the data set."""
        network, needed = self.model, (data.X_train.shape[1], data.n_outputs)
        if (network.sizes[0], network.sizes[-1]) != needed or network.target != data.target:
            of = {"class": "classes"}.get(network.target, network.target)
            raise InputError(
                f"The model in {self.path} has {network.sizes[0]} inputs and {network.sizes[-1]} {of}; "
                f"the data set {data.name} has {needed[0]} and {needed[1]}."
            )
        return network

    def dataset(self, quiet=True, data_dir=None):
        """The data set that the run was trained on. Raises InputError where it is no longer the same."""
        settings = self.settings
        data = settings.load_data(quiet, data_dir)
        if data.checksums != self.config["data_checksums"]:
            raise InputError(f"The data set {settings.dataset} is not the one that {self.path} was trained on.")
        return data


def default_name(s):
    """The course's name of a run: ``hl_3_hn_128_opt_nadam_act_sigmoid_lr_0.001_bs_32_init_xavier_ep_10_l2_0``."""
    size = "-".join(map(str, s.hidden_size)) if isinstance(s.hidden_size, list) else s.hidden_size
    return (
        f"hl_{s.hidden_layers}_hn_{size}_opt_{s.optimizer}_act_{s.activation}_lr_{s.learning_rate:g}_bs_{s.batch_size}"
        f"_init_{s.initializer}_ep_{s.epochs}_l2_{s.weight_decay:g}"
    )


def create(settings, data, runs_dir="runs", name=None):
    """A new run directory with its config.json. A name of the user's own must be free; the default one is numbered.

    Raises InputError: settings that do not suit the data, a name that is taken, a folder that cannot be written.
    """
    settings = settings.for_target(data.target)
    _check(settings, data)
    if name is not None and not re.search(r"[^\W_]", name):
        raise InputError(f"The run name {name!r} has no letter or digit that a folder's name could be made of.")
    path = Path(runs_dir) / _folder(name or default_name(settings))
    for number in range(1, 1_000_000):
        taken = path if number == 1 else path.with_name(f"{path.name}-{number}")
        try:
            taken.mkdir(parents=True)
            break
        except FileExistsError:
            if name is not None:
                raise InputError(
                    f"There is a run {taken} already; choose another --name, or go on with it: {Run(taken).resume_line}"
                ) from None
        except OSError as error:
            raise InputError(
                f"Cannot make the run directory {taken}: {error.strerror}; --runs-dir must be a folder to write to."
            ) from error
    config = {"name": name or taken.name, **settings.model_dump(), "versions": _versions(), "machine": _machine()}
    write_json(taken / "config.json", config | {"data_checksums": data.checksums})
    if data.table:
        write_json(taken / "preparation.json", data.table.to_json())
    return Run(taken)


def _folder(name):
    """The name as that of one folder: without what has a meaning in a path, and of at most 200 bytes."""
    return re.sub(r"[^\w.+=,@-]+", "_", name).strip(".").encode()[:200].decode(errors="ignore")


def split(settings, data):
    """The rows of the training and of the validation samples that these settings ask for."""
    labels = data.y_train if data.target == "class" else np.zeros(len(data.y_train), np.int64)
    return datasets.split(labels, settings.validation, seed=settings.seed, stratify=settings.stratify)


def train(run, data, callbacks=()):
    """Train the run's network, from its last checkpoint if there is one, and write its summary and model.

    Returns the summary. Raises InputError or `Diverged` as `muslin.training.fit` does.
    """
    settings = run.settings
    with blas.threads(settings.threads):
        return _train(run, settings, data, callbacks)


def _train(run, settings, data, callbacks):
    network = settings.network(data.X_train.shape[1], data.n_outputs)
    rows, rows_val = split(settings, data)
    history = network.fit(
        data.X_train,
        data.y_train,
        rows=rows,
        validation_data=(data.X_train, data.y_train, rows_val) if len(rows_val) else None,
        callbacks=[*callbacks, WriteHistory(run.path / "history.jsonl")],
        checkpoint=run.checkpoint,
        resume=run.checkpoint.exists(),
        **settings.training(),
    )
    metric = settings.monitor or ("val_loss" if settings.patience else f"val_{NAMES[network.target][0]}")
    metric = metric if metric in history[-1] else "loss"
    best = best_epoch(history, metric)
    shown = history[best - 1] if settings.patience else history[-1]
    seconds = sum(history["seconds"])
    summary = {
        "epochs": len(history),
        "best_epoch": best,
        "best_by": metric,
        **{key: shown[key] for key in _FIGURES if key in shown},
        "seconds": seconds,
        "samples_per_second": len(rows) * len(history) / sum(len(rows) / s for s in history["samples_per_second"]),
        "engine": network.engine.name,
        "parameters": network.theta.size,
    }
    known = run.summary if run.finished else {}  # the test figures, once there, stay
    network.save(run.path / "model.safetensors")
    write_json_lines(run.path / "history.jsonl", history)
    write_json(run.path / "summary.json", known | summary)
    return summary


#: what is told of an epoch
_FIGURES = ("loss", "accuracy", "val_loss", *dict.fromkeys(f"val_{name}" for row in NAMES.values() for name in row))


def need_test(data):
    """Raises InputError where the data set has no test part."""
    if data.X_test is None and data.table:
        raise InputError(f"The table {data.name} has no test rows; --test must be a share of them, or another table.")
    if data.X_test is None:
        raise InputError(f"The data set {data.name} has no test part; an .npz needs X_test and y_test for that.")


def evaluate_test(run, data):
    """Evaluate the run's model on the test set; adds the figures to summary.json and returns them.

    test_accuracy, test_loss, confusion_matrix [true][predicted], per_class and macro (precision, recall, f1), and the
    predicted classes (not written).
    """
    need_test(data)
    figures, predicted = figures_on(run.model_for(data), data.X_test, data.y_test, data.class_names, data.table)
    write_json(run.path / "summary.json", run.summary | figures)
    return figures, predicted


def figures_on(network, X, y, names, table):
    """({"test_accuracy": …}, predictions) on samples; see `evaluate_test`. Of numbers test_r2, test_mae and test_rmse,
    the last two in the units of the table's target; of labels test_accuracy and test_f1, and F1 of each label."""
    figures, Y_hat = measure(network, X, y)
    scale = table.target.scale if table else 1.0
    told = {f"test_{k}": v * (scale if k in ("mae", "rmse") else 1.0) for k, v in figures.items()}
    predicted = network.outputs[network.output].predict(Y_hat)
    return told | PER_CLASS.get(network.target, lambda *_: {})(y, predicted, names), predicted


def _per_class(y, predicted, names):
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    labels = range(len(names))
    scores = precision_recall_fscore_support(y, predicted, labels=labels, zero_division=0)
    per_class = [
        {"class": name, "precision": float(p), "recall": float(r), "f1": float(f), "samples": int(n)}
        for name, p, r, f, n in zip(names, *scores, strict=True)
    ]
    return {
        "confusion_matrix": confusion_matrix(y, predicted, labels=labels).tolist(),
        "per_class": per_class,
        "macro": {key: float(np.mean([row[key] for row in per_class])) for key in ("precision", "recall", "f1")},
    }


def _per_label(Y, predicted, names):
    from sklearn.metrics import precision_recall_fscore_support

    scores = precision_recall_fscore_support(Y > 0.5, predicted.reshape(Y.shape), average=None, zero_division=0)
    rows = zip(names, *scores, strict=True)
    keys = ("class", "precision", "recall", "f1", "samples")
    return {
        "per_class": [dict(zip(keys, (n, float(p), float(r), float(f), int(s)), strict=True)) for n, p, r, f, s in rows]
    }


#: kind of target → figures of each class or label
PER_CLASS = {"class": _per_class, "labels": _per_label}


def _check(settings, data):
    """Let everything that training would refuse be refused before there is a directory."""
    network = settings.network(data.X_train.shape[1], data.n_outputs)
    rows, rows_val = split(settings, data)
    training = TrainingSettings.read(settings.training(), network.optimizers)
    training.check(network, data.y_train[rows], validated=len(rows_val) > 0)


class WriteHistory(Callback):
    """Keeps history.jsonl equal to the history, after every epoch."""

    def __init__(self, path):
        self.path = path

    def on_epoch(self, state):
        write_json_lines(self.path, state.history)


def _facts(path, *needed):
    """The object in a JSON file. Raises InputError where it is none, or lacks a key."""
    facts = read_json(path)
    if not isinstance(facts, dict) or not facts.keys() >= set(needed):
        raise InputError(f"{path} is damaged: it must be an object with {' and '.join(needed)}.")
    return facts


@cache
def _versions():
    found = {"python": platform.python_version()}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _machine():
    return {"system": platform.system(), "processor": platform.machine(), "blas": blas.description()}
