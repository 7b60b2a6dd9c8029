"""The trainings of a transfer side by side, by the workers of an executor."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from muslin.errors import Diverged, InputError
from muslin.executors import Executor, training
from muslin.executors.jobs import Jobs
from muslin.network import FeedForwardNeuralNetwork
from muslin.runs.settings import Settings
from muslin.studies.transfer.plan import Cell, Transfer
from muslin.studies.transfer.results import missing, read, write

if TYPE_CHECKING:
    from muslin.executors.worker import Parent


def train_side_by_side(
    transfer: Transfer,
    path: Path,
    fractions: Sequence[float],
    seeds: Sequence[int],
    make: Callable[[int], Executor],
    data: tuple[str, str | None],
    epochs: Callable[[tuple[float, int, str], int], Any] = lambda cell, n: None,
) -> list[Cell]:
    """As `train`, by the executor that ``make`` gives for so many trainings.

    data: the names by which a worker loads the data set: its own, and ``data_dir``. epochs(cell, n) is told of so many
    new epochs of a training. Raises InputError or Diverged where one fails, when the others have ended.
    """
    cells = read(path, transfer)
    todo = {_folder(path, cell): cell for cell in missing(cells, fractions, seeds)}
    task = _task(transfer, data)

    def over(run: str, message: dict[str, Any]) -> None:
        if "done" in message:
            cells.append(message["done"])
            write(path, transfer, cells)

    tasks = {run: task | {"run": run, "cell": cell} for run, cell in todo.items()}
    ended = Jobs(tasks, make(len(tasks)), over, lambda run, n: epochs(todo[run], n)).run() if tasks else {}
    for run, message in ended.items():
        if "failed" in message:
            raise (Diverged if message.get("diverged") else InputError)(f"{Path(run).name}: {message['failed']}")
    return cells


def _folder(path: Path, cell: tuple[float, int, str]) -> str:
    """A name of a training; no folder is made."""
    fraction, seed, contestant = cell
    return str(path.parent / f"{contestant}_{fraction:g}_seed_{seed}")


def _task(transfer: Transfer, data: tuple[str, str | None]) -> dict[str, Any]:
    """The network goes along: a node of a cluster need not see our disk."""
    name, data_dir = data
    return {
        "function": "muslin.studies.transfer.elsewhere:work",
        "network": b64encode(transfer.file.read_bytes()).decode(),
        "dataset": name,
        "data_dir": data_dir,
        "checksums": transfer.data.checksums,
        "settings": transfer.settings.model_dump(),
        "own": {"freeze": transfer.freeze, "keep_head": transfer.keep_head, "min_steps": transfer.min_steps},
    }


def work(task: dict[str, Any], parent: "Parent") -> dict[str, Any]:
    """A training of a transfer, in a worker: see `muslin.executors`."""
    data = training.dataset(task["dataset"], task["data_dir"], None)
    if data.checksums != task["checksums"]:
        raise InputError(f"{task['dataset']} is not the same data there.")
    file, settings = Path(task["run"]), Settings.read(task["settings"])
    transfer = Transfer(_network(task["network"]), data, settings, **task["own"], file=file, facts={})
    fraction, seed, contestant = task["cell"]
    return {"done": transfer.cell(fraction, seed, contestant, [training.Report(parent)])}


@cache
def _network(content: str) -> FeedForwardNeuralNetwork:
    with TemporaryDirectory(prefix="muslin-") as folder:
        file = Path(folder, "model.safetensors")
        file.write_bytes(b64decode(content))
        network: FeedForwardNeuralNetwork = FeedForwardNeuralNetwork.load(file)
        return network
