"""Runs: from settings to a directory that holds everything about one training.

runs/<name>/config.json               every setting, versions, data checksums
            preparation.json          of a table: how its columns become numbers
            history.jsonl             one object an epoch
            checkpoint.safetensors    the state after the last finished epoch
            summary.json              the figures of the finished run; test figures once evaluated
            model.safetensors         the trained network
"""

import errno
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from muslin import datasets
from muslin.datasets import Dataset, TableFacts
from muslin.engines import blas
from muslin.ensemble import Ensemble
from muslin.errors import InputError, note, shown
from muslin.files import (
    LITTER,
    as_folder,
    damaged,
    make_folder,
    read_json,
    read_tensors,
    remove_litter,
    writable,
    write_json,
    write_json_lines,
    write_new_json,
)
from muslin.network import FeedForwardNeuralNetwork
from muslin.runs import machine, records
from muslin.runs.settings import Settings
from muslin.training import Callback, State
from muslin.training.batches import Samples
from muslin.training.callbacks import OnEpoch, best_epoch
from muslin.training.metrics import NAMES, confusion, measure_calibrated
from muslin.training.settings import FULL_BATCH, TrainingSettings
from muslin.training.weights import sample_weights

Model = FeedForwardNeuralNetwork | Ensemble
M = TypeVar("M", FeedForwardNeuralNetwork, Ensemble, Model)


@dataclass(frozen=True)
class Run:
    """A run directory, read when asked. Raises InputError where a file is missing or damaged."""

    path: Path

    @property
    def begun(self) -> bool:
        """Whether there is a run: config.json is the first file that it has."""
        return (self.path / "config.json").exists()

    @property
    def facts(self) -> dict[str, Any]:
        """config.json: what the run was begun with. A program's run has {"name", "config", "command"}."""
        if not self.path.is_dir():
            raise InputError(f"There is no run directory {self.path}.")
        if not self.begun:
            raise InputError(f"{self.path} is not a run directory: it has no config.json.")
        return records.config(self.path / "config.json")

    @property
    def ours(self) -> bool:
        """Whether muslin trained it, and no program of the user's."""
        return "config" not in self.facts

    @property
    def config(self) -> dict[str, Any]:
        """`facts` of a run of our own."""
        if not self.ours:
            raise InputError(f"{self.path} is the run of a program; muslin knows no network of it.")
        return self.facts

    @property
    def settings(self) -> Settings:
        return Settings.read({k: v for k, v in self.config.items() if k in Settings.model_fields})

    @property
    def name(self) -> str:
        return self.config["name"]

    @property
    def history(self) -> list[dict[str, Any]]:
        """A dictionary an epoch."""
        read = records.history if self.ours else records.program_history
        return read(self.path / "history.jsonl")

    @property
    def history_so_far(self) -> list[dict[str, Any]]:
        """`history`, or none where no epoch is done yet."""
        return self.history if (self.path / "history.jsonl").exists() else []

    @property
    def finished(self) -> bool:
        return (self.path / "summary.json").exists()

    @property
    def summary(self) -> dict[str, Any]:
        if not self.finished:
            if self.ours and self.members:
                raise InputError(f"{self.path} was not made to its end; remove it, and make the ensemble again.")
            raise InputError(f"{self.path} has not finished training; go on with: {self.resume_line}")
        return self._records_of_summary(self.path / "summary.json")

    @property
    def _records_of_summary(self) -> Callable[[Path], dict[str, Any]]:
        if not self.ours:
            return records.program_summary
        return records.ensemble_summary if self.members else records.summary

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    @property
    def saved_epochs(self) -> int:
        """The number of epochs that need not be trained again."""
        return _epochs(self.checkpoint) if self.checkpoint.exists() else 0

    @property
    def resume_line(self) -> str:
        """What to type to go on with this run."""
        return shlex.join(["muslin", "train", "--resume", str(self.path)])

    @property
    def table(self) -> TableFacts | None:
        """The `muslin.datasets.TableFacts` of the table that it was trained on; None if it was none."""
        path = self.path / "preparation.json"
        return datasets.TableFacts.from_json(read_json(path)) if path.exists() else None

    @property
    def members(self) -> list[dict[str, Any]]:
        """Of an ensemble what is known of the runs that it was made of; of other runs none."""
        return self.config.get("members", [])

    @property
    def model(self) -> Model:
        """The trained network, or the ensemble."""
        self.summary  # noqa: B018
        kind: type[Model] = Ensemble if self.members else FeedForwardNeuralNetwork
        return kind.load(self.path / "model.safetensors")

    @property
    def network(self) -> FeedForwardNeuralNetwork:
        """The trained network. Raises InputError where it is an ensemble."""
        self.need_network()
        model = self.model
        assert isinstance(model, FeedForwardNeuralNetwork)
        return model

    def need_network(self) -> None:
        """Raises InputError where it is an ensemble of several networks."""
        if self.members:
            of = " and ".join(member["run"] for member in self.members[:2]) + ", …" * (len(self.members) > 2)
            raise InputError(f"{self.path} is an ensemble, of {of}; this is done with one network.")

    def need_directory(self) -> None:
        """Raises InputError where it was removed or moved, so that training does not make another one."""
        if not self.begun:
            raise InputError(f"The run directory {self.path} is gone: it was removed or moved while it trained.")

    def model_for(self, data: Dataset) -> Model:
        """`model`. Raises InputError where it has not the inputs and classes of the data set."""
        return self._fitting(self.model, data)

    def network_for(self, data: Dataset) -> FeedForwardNeuralNetwork:
        """`network`. Raises InputError as `model_for`."""
        return self._fitting(self.network, data)

    def _fitting(self, network: M, data: Dataset) -> M:
        needed = data.X_train.shape[1], data.n_outputs
        if (network.sizes[0], network.sizes[-1]) != needed or network.target != data.target:
            of = {"class": "classes"}.get(network.target, network.target)
            raise InputError(
                f"The model in {self.path} has {network.sizes[0]} inputs and {network.sizes[-1]} {of}; "
                f"the data set {data.name} has {needed[0]} and {needed[1]}."
            )
        return network

    def dataset(self, quiet: bool = True, data_dir: str | None = None) -> Dataset:
        """The data set that the run was trained on. Raises InputError where it is no longer the same."""
        settings = self.settings
        data = settings.load_data(quiet, data_dir)
        if data.checksums != self.config["data_checksums"]:
            raise InputError(f"The data set {settings.dataset} is not the one that {self.path} was trained on.")
        return data


def default_name(s: Settings) -> str:
    """The course's name of a run: ``hl_3_hn_128_opt_nadam_act_sigmoid_lr_0.001_bs_32_init_xavier_ep_10_l2_0``."""
    size = "-".join(map(str, s.hidden_size)) if isinstance(s.hidden_size, list) else s.hidden_size
    return (
        f"hl_{s.hidden_layers}_hn_{size}_opt_{s.optimizer}_act_{s.activation}_lr_{s.learning_rate:g}_bs_{s.batch_size}"
        f"_init_{s.initializer}_ep_{s.epochs}_l2_{s.weight_decay:g}"
    )


def create(
    settings: Settings,
    data: Dataset,
    runs_dir: str | PathLike[str] = "runs",
    name: str | None = None,
    numbered: bool = False,
) -> Run:
    """A new run directory with its config.json. A name of the user's own must be free, or be ``numbered`` as the
    default one is. A folder with nothing in it is free: its maker may have been killed.

    Raises InputError: settings that do not suit the data, a name that is taken, a folder that cannot be written.
    """
    settings = settings.for_target(data.target)
    network = _checked_network(settings, data)
    facts = settings.model_dump() | {"versions": machine.versions(), "machine": machine.facts(network)}
    return place(facts, data, Path(runs_dir), name, default_name(settings), numbered)


def place(facts: dict[str, Any], data: Dataset, runs_dir: Path, name: str | None, default: str, numbered: bool) -> Run:
    """A new run directory; ``facts`` are those of its config.json without the name and the data. See `create`."""
    first = runs_dir / folder_name(default if name is None else name, "run")
    for path in successive(first) if name is None or numbered else [first]:
        own = name if name and path == first else path.name
        if _claimed(path, {"name": own, **facts, "data_checksums": data.checksums}):
            run = Run(path)
            _keep_table(run, data)
            return run
    raise InputError(
        f"There is a run {first} already; choose another --name, or go on with it: {Run(first).resume_line}"
    )


def _keep_table(run: Run, data: Dataset) -> None:
    if data.table and run.table is None:
        write_json(run.path / "preparation.json", data.table.to_json())


def successive(path: Path) -> Iterator[Path]:
    """runs/x, runs/x-2, runs/x-3, …"""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.name}-{number}")


def _claimed(path: Path, config: dict[str, Any]) -> bool:
    """Make the directory this run's, if it is free: the one that puts its config.json there has it."""
    try:
        if path.exists() and not (path.is_dir() and all(LITTER.fullmatch(entry.name) for entry in path.iterdir())):
            return False
        make_folder(path)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "" if full else "; --runs-dir must be a folder to write to"
        raise InputError(f"Cannot make the run directory {path}: {error.strerror}{advice}.") from error
    return write_new_json(path / "config.json", config)


def folder_name(name: str, what: str) -> str:
    """The name as that of one folder: see `muslin.files.as_folder`.

    Raises InputError where nothing that could be one is left of it; ``what`` has the name is told.
    """
    if not re.search(r"[^\W_]", name):
        raise InputError(f"The {what} name {shown(name)} has no letter or digit that a folder's name could be made of.")
    return as_folder(name)


def unit(table: TableFacts | None) -> float:
    """What an error of 1 is in the unit of a table's target."""
    return table.target.scale if table else 1.0


def split(settings: Settings, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the training and of the validation samples that these settings ask for."""
    labels = data.y_train if data.target == "class" else np.zeros(len(data.y_train), np.int64)
    return datasets.split(labels, settings.validation, seed=settings.seed, stratify=settings.stratify)


def prolong(run: Run, data: Dataset, changes: dict[str, Any]) -> None:
    """Let the run go on for more ``epochs`` or with another ``patience``. Raises InputError where it cannot."""
    run.need_network()
    if others := changes.keys() - {"epochs", "patience"}:
        raise InputError(f"--resume can change epochs and patience, not {', '.join(sorted(others))}; start a new run.")
    settings = Settings.read(run.settings.model_dump(), changes)
    if settings == run.settings:
        return
    _checked_network(settings, data)
    if settings.epochs < run.saved_epochs:
        raise InputError(f"{run.path} has {run.saved_epochs} epochs; epochs must be at least as many.")
    if settings.patience and not run.settings.patience:
        raise InputError(f"{run.path} was trained without patience; its best epoch was not kept. Start a new run.")
    write_json(run.path / "config.json", run.config | {name: getattr(settings, name) for name in changes})
    (run.path / "summary.json").unlink(missing_ok=True)  # its figures are of another model than the longer run's


def train(run: Run, data: Dataset, callbacks: Iterable[Callback | OnEpoch] = ()) -> dict[str, Any]:
    """Train the run's network, from its last checkpoint if there is one, and write its summary and model.

    It goes on with as many threads of BLAS as it was begun with, for the last bits depend on them; what else they
    depend on and is another now is said. Returns the summary. Raises InputError or `Diverged` as
    `muslin.training.fit` does, and where the directory is gone.
    """
    remove_litter(run.path)
    for part in run.path.glob(".tmp??????"):  # of an older version
        part.unlink(missing_ok=True)
    settings, begun = run.settings, run.config.get("machine", {})
    with blas.threads(settings.threads or begun.get("blas", {}).get("threads")):
        network = settings.network(data.X_train.shape[1], data.n_outputs)
        network.hints, network.unit = data.table is None, unit(data.table)
        if not run.checkpoint.exists() and (run.path / "history.jsonl").exists():
            note(f"{run.path} has no checkpoint to go on from; it is trained from its beginning, to the same result.")
        if run.checkpoint.exists():
            machine.note_differences(run.path, begun, machine.facts(network))
        return _train(run, settings, network, data, callbacks)


def drop_damaged_checkpoint(run: Run) -> None:
    """Remove a checkpoint that cannot be read, and say so; `train` then starts from the beginning."""
    try:
        run.saved_epochs  # noqa: B018
    except InputError as error:
        run.checkpoint.unlink(missing_ok=True)
        note(str(error))


def _train(
    run: Run,
    settings: Settings,
    network: FeedForwardNeuralNetwork,
    data: Dataset,
    callbacks: Iterable[Callback | OnEpoch],
) -> dict[str, Any]:
    _keep_table(run, data)  # whoever made the directory may have been killed before
    rows, rows_val = split(settings, data)
    saved = {"checkpoint": run.checkpoint, "resume": run.checkpoint.exists()}
    if settings.optimizer in FULL_BATCH:  # which goes on from nothing: from its beginning it comes to the same
        saved = {}
    history = network.fit(
        data.X_train,
        data.y_train,
        rows=rows,
        image_shape=data.image_shape,
        validation_data=(data.X_train, data.y_train, rows_val) if len(rows_val) else None,
        callbacks=[*callbacks, WriteHistory(run)],
        **saved,
        **settings.training(),
        **settings.weights,
    )
    metric = settings.monitor or ("val_loss" if settings.patience else f"val_{NAMES[network.target][0]}")
    metric = metric if metric in history[-1] else "loss"
    best = best_epoch(history, metric)
    last = history[best - 1] if settings.patience else history[-1]
    seconds = sum(history["seconds"])
    summary = {
        "epochs": len(history),
        "best_epoch": best,
        "best_by": metric,
        **{key: last[key] for key in _FIGURES if key in last},
        "seconds": seconds,
        "samples_per_second": len(rows) * len(history) / sum(len(rows) / s for s in history["samples_per_second"]),
        "engine": network.engine.name,
        "parameters": network.theta.size,
    }
    known = run.summary if run.finished else {}  # the test figures, once there, stay
    run.need_directory()
    network.save(run.path / "model.safetensors")
    write_json_lines(run.path / "history.jsonl", history)
    write_json(run.path / "summary.json", known | summary)
    return summary


#: what is told of an epoch
_FIGURES = ("loss", "accuracy", "val_loss", *dict.fromkeys(f"val_{name}" for row in NAMES.values() for name in row))


def need_test(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The test part, (X, y). Raises InputError where the data set has none."""
    if data.X_test is not None and data.y_test is not None:
        return data.X_test, data.y_test
    if data.table:
        raise InputError(f"The table {data.name} has no test rows; --test must be a share of them, or another table.")
    raise InputError(f"The data set {data.name} has no test part; an .npz needs X_test and y_test for that.")


def need_classes(data: Dataset) -> None:
    """Raises InputError where the data set has numbers or labels in place of classes."""
    if data.target != "class":
        raise InputError(f"The data set {data.name} has {data.target} to predict; this command is for classes.")


def evaluate_test(run: Run, data: Dataset) -> tuple[dict[str, Any], np.ndarray]:
    """Evaluate the run's model on the test set; adds the figures to summary.json and returns them.

    test_accuracy, test_loss, confusion_matrix [true][predicted], per_class and macro (precision, recall, f1), and the
    predicted classes (not written).
    """
    X, y = need_test(data)
    figures, predicted = figures_on(run.model_for(data), X, y, data.class_names, data.table)
    if writable(run.path):
        write_json(run.path / "summary.json", run.summary | figures)
    else:
        note(f"{run.path} is read-only: its test figures are shown, and not kept.")
    return figures, predicted


def figures_on(
    network: Model, X: np.ndarray, y: np.ndarray, names: Sequence[str], table: TableFacts | None
) -> tuple[dict[str, Any], np.ndarray]:
    """({"test_accuracy": …}, predictions) on samples; see `evaluate_test`. Of numbers test_r2, test_mae and test_rmse,
    the last two in the units of the table's target; of classes test_accuracy and test_ece; of labels
    test_accuracy and test_f1, and F1 of each label."""
    network.unit = unit(table)
    figures, Y_hat = measure_calibrated(network, X, y)
    told = {f"test_{name}": value for name, value in figures.items()}
    predicted = network.outputs[network.output].predict(Y_hat)
    return told | PER_CLASS.get(network.target, lambda *_: {})(y, predicted, names), predicted


def _per_class(y, predicted, names):
    counts = confusion(y, predicted, len(names))
    per_class = _scores(np.diag(counts), counts.sum(axis=0), counts.sum(axis=1), names)
    return {
        "confusion_matrix": counts.tolist(),
        "per_class": per_class,
        "macro": {key: float(np.mean([row[key] for row in per_class])) for key in ("precision", "recall", "f1")},
    }


def _per_label(Y, predicted, names):
    true, said = Y > 0.5, predicted.reshape(Y.shape) > 0.5
    return {"per_class": _scores((true & said).sum(axis=0), said.sum(axis=0), true.sum(axis=0), names)}


def _scores(right, said, true, names):
    """Precision, recall and F1 of each class from three counts of samples; 0 where there are none to divide by."""

    def share(part, whole):
        return np.divide(part, whole, out=np.zeros(len(names)), where=whole > 0).tolist()

    scores = share(right, said), share(right, true), share(2 * right, said + true), true.tolist()
    keys = ("class", "precision", "recall", "f1", "samples")
    return [dict(zip(keys, row, strict=True)) for row in zip(names, *scores, strict=True)]


#: kind of target → figures of each class or label
PER_CLASS = {"class": _per_class, "labels": _per_label}


def _checked_network(settings: Settings, data: Dataset) -> FeedForwardNeuralNetwork:
    """The network, after everything that training would refuse was refused: before there is a directory."""
    network = settings.network(data.X_train.shape[1], data.n_outputs)
    rows, rows_val = split(settings, data)
    training = TrainingSettings.read(settings.training(), network.optimizers)
    training.check(network, data.y_train[rows], validated=len(rows_val) > 0)
    sample_weights(network, Samples(data.X_train, data.y_train, rows), **settings.weights)
    if data.image_shape is None and (asked := training.of_pictures):
        raise InputError(f"{asked[0]} is for pictures, and the samples of {data.name} are none; it must be 0.")
    return network


class WriteHistory(Callback):
    """Keeps history.jsonl equal to the history, after every epoch."""

    def __init__(self, run: Run):
        self.run = run

    def on_epoch(self, state: State) -> None:
        self.run.need_directory()
        write_json_lines(self.run.path / "history.jsonl", state.history)


def _epochs(checkpoint: Path) -> int:
    """The number of epochs that are done in a checkpoint."""
    epochs = read_tensors(checkpoint, "checkpoint")[1].get("state")
    epochs = epochs.get("epoch") if isinstance(epochs, dict) else None
    if type(epochs) is not int or epochs < 0:
        raise InputError(damaged(checkpoint, "checkpoint"))
    return epochs
