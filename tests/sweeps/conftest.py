import json
import sys

import pytest
import yaml

from muslin.cli import main

#: tiny networks on the digits
TINY = {
    "method": "random",
    "metric": {"name": "val_accuracy", "goal": "maximize"},
    "parameters": {
        "dataset": {"value": "digits"},
        "engine": {"value": "numpy"},
        "epochs": {"value": 2},
        "hidden_layers": {"value": 1},
        "hidden_size": {"values": [4, 8]},
        "batch_size": {"value": 128},
        "optimizer": {"values": ["MGD", "adam"]},
        "learning_rate": {"distribution": "log_uniform_values", "min": 0.001, "max": 0.02},
    },
}


@pytest.fixture(scope="session")
def tiny():
    return TINY


@pytest.fixture
def sweep_file(tmp_path):
    """A function that writes a sweep file, TINY with changes, and returns its path. None takes a key out."""

    def write(name="tiny.yaml", parameters=None, **changes):
        raw = TINY | changes | {"parameters": TINY["parameters"] | (parameters or {})}
        raw["parameters"] = {key: value for key, value in raw["parameters"].items() if value is not None}
        path = tmp_path / name
        path.write_text(yaml.safe_dump({key: value for key, value in raw.items() if value is not None}))
        return path

    return write


@pytest.fixture
def muslin(capsys, monkeypatch):
    """A function that runs a command: (exit code, standard output, standard error)."""

    def run(*words):
        words = [*map(str, words)]
        monkeypatch.setattr(sys, "argv", ["muslin", *words])
        with pytest.raises(SystemExit) as caught:
            main(words)
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def muslin_json(muslin):
    """The same for one that must succeed and print one JSON object, which is returned."""

    def run(*words):
        code, out, err = muslin(*words, "--json")
        assert code == 0, err
        assert out.count("\n") == 1
        return json.loads(out)

    return run
