"""What a worker does with a task, in this process: the messages that its parent hears."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

from muslin.errors import InputError
from muslin.executors import training, worker
from muslin.executors.processes import Processes
from muslin.runs import Run
from muslin.sweeps import trial

SETTINGS = {"dataset": "digits", "engine": "numpy", "epochs": 3, "hidden_layers": 1, "hidden_size": 4}
REASON = "hyperband: below the best third after 2 iterations"


class Parent:
    """Hears what is told; at an epoch it says, or does, something."""

    def __init__(self, at=None):
        self.at, self.begun, self.rows, self.programs = at or {}, None, [], []

    def begin(self, rows):
        self.begun = [row["epoch"] for row in rows]

    def row(self, row):
        self.rows.append(row.get("epoch"))
        answer = self.at.get(row.get("epoch"))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def running(self, program):
        self.programs.append(program)


def task(path, **changes):
    return {"run": str(path / "run"), "settings": SETTINGS | changes, "tracker": None}


@pytest.mark.parametrize("work", [training.train, trial.network])
def test_a_training_tells_each_epoch_and_what_came_of_it(work, tmp_path):
    parent = Parent()
    message = work(task(tmp_path), parent)
    assert (parent.begun, parent.rows) == ([], [1, 2, 3])
    assert message == {"done": Run(tmp_path / "run").summary, "stopped": None}


def test_a_training_that_is_stopped_says_why(tmp_path):
    message = training.train(task(tmp_path), Parent({2: REASON}))
    assert (message["stopped"], message["done"]["epochs"]) == (REASON, 2)


def test_a_reason_to_stop_at_the_last_epoch_stops_nothing(tmp_path):
    assert training.train(task(tmp_path), Parent({3: REASON}))["stopped"] is None


def test_another_worker_goes_on_where_one_died(tmp_path):
    whole = training.train(task(tmp_path / "whole"), Parent())["done"]
    with pytest.raises(KeyboardInterrupt):
        training.train(task(tmp_path), Parent({2: KeyboardInterrupt()}))
    parent = Parent()
    done = training.train(task(tmp_path), parent)["done"]
    assert parent.begun + parent.rows == [1, 2, 3]
    assert parent.begun
    assert done["val_loss"] == whole["val_loss"]


def test_a_run_with_other_settings_is_not_gone_on_with(tmp_path):
    training.train(task(tmp_path, epochs=1), Parent())
    with pytest.raises(InputError, match="holds a run with other settings or data"):
        training.train(task(tmp_path, epochs=2), Parent())


def test_a_program_tells_what_it_prints(tmp_path):
    (tmp_path / "run").mkdir()
    code = "import json\nfor n in range(3): print(json.dumps({'score': n / 2}))"
    (tmp_path / "p.py").write_text(code)
    given = {"run": str(tmp_path / "run"), "metric": "score", "sweep": "s", "config": {}, "program": "p.py"}
    given |= {"command": [sys.executable, str(tmp_path / "p.py")], "project": None, "entity": None, "timeout": None}
    parent = Parent()
    message = trial.program(given | {"live": None}, parent)
    assert message == {"done": {"iterations": 3, "score": 1.0}, "stopped": None}
    assert len(parent.rows) == 3
    assert len(parent.programs) == 1


@pytest.mark.parametrize(
    ("function", "changes", "failed"),
    [
        ("muslin.executors.training:train", {"hidden_size": 0}, "hidden_size is 0; it must be"),
        (
            "muslin.executors.training:train",
            {"optimizer": "sgd", "learning_rate": 1e39, "activation": "relu"},
            "Training diverged in epoch 1",
        ),
        ("muslin.executors.training:nothing", {}, "AttributeError: module 'muslin.executors.training' has no"),
    ],
)
def test_what_goes_wrong_is_an_answer(function, changes, failed, tmp_path, capsys):
    answer = worker._answer(task(tmp_path, **changes) | {"function": function}, Parent())
    assert answer["failed"].startswith(failed)
    assert not answer["fatal"]
    assert answer.get("diverged", False) == ("diverged" in failed)
    assert ("Traceback" in capsys.readouterr().err) == (": module" in failed)


def test_a_process_that_is_killed_is_told_of_and_replaced(tmp_path):
    pool = Processes(1, tmp_path / "workers.log")
    try:
        pool.give("a", task(tmp_path, epochs=500) | {"function": "muslin.executors.training:train"})
        worker, message = pool.next(60)
        assert (message, pool.free) == ({"begin": []}, 0)
        worker.kill()
        while message is not None:  # what it had said before
            again, message = pool.next(60)
            assert again is worker
        assert worker.code == -9
        assert pool.done(worker, dead=True) == "a"
        assert (pool.free, pool.idle) == (1, [])
        pool.give("b", task(tmp_path / "b", hidden_size=0) | {"function": "muslin.executors.training:train"})
        other, message = pool.next(60)
        assert other is not worker
        assert message["failed"].startswith("hidden_size is 0")
        assert pool.done(other) == "b"
        assert pool.idle == [other]
    finally:
        pool.stop()


def test_messages_are_lines_and_a_row_waits_for_its_answer():
    parent = worker.Parent(io.StringIO())
    parent.answers.put({"stop": REASON})
    parent.begin([])
    assert parent.row({"epoch": 1}) == REASON
    parent.running(SimpleNamespace(group=7))
    lines = parent.messages.getvalue().splitlines()
    assert [*map(json.loads, lines)] == [{"begin": []}, {"row": {"epoch": 1}}, {"group": 7}]


def test_a_parent_that_is_gone_ends_its_worker(monkeypatch):
    """And with it the program that runs; while the parent is there, it may stop the program, and answers."""
    told = []
    parent = worker.Parent(io.StringIO())
    parent.programs = [SimpleNamespace(stop=told.append, kill=lambda: told.append("killed"))]
    monkeypatch.setattr(worker.os, "_exit", lambda code: told.append(code))
    said = b'{"stop": null}\n{"end": "it is late"}\n{"stop": "enough"}\n'
    monkeypatch.setattr(worker.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(said)))
    parent.listen()
    assert told == ["it is late", "killed", 0]
    assert [parent.answers.get() for _ in range(2)] == [{"stop": None}, {"stop": "enough"}]

    def broken(text):
        raise BrokenPipeError

    parent.messages = SimpleNamespace(write=broken)
    parent.send({})
    assert told[-1] == 0
    assert len(told) == 4
