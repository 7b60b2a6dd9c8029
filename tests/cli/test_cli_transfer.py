"""muslin transfer: the table, the sentences, the file, and going on after an interruption."""

import json
import os
import re
import shlex
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import bars, files

FEW = ["--fraction", "0.2,1", "--seeds", "2", "--epochs", "2", "--min-steps", "20"]


@pytest.fixture
def other(alone):
    """A second data set for the toy network: the same bars, inverted."""
    (X, y), (X_test, y_test) = bars(90, 2), bars(30, 3)
    np.savez("other.npz", X=255 - X, y=y, X_test=255 - X_test, y_test=y_test)
    return "other.npz"


def in_file():
    return json.loads(Path("runs/finished_to_other/transfer.json").read_text())


def test_json(muslin, finished, other):
    code, out, err = muslin("transfer", finished.path, "--to", other, *FEW, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    told = json.loads(out)
    assert told.keys() == {"folder", "run", "to", "freeze", "new_head", "table", "conclusions"}
    assert (told["folder"], told["run"], told["to"]) == ("runs/finished_to_other", str(finished.path), "other")
    assert (told["freeze"], told["new_head"]) == (1, True)
    assert [(row["fraction"], row["samples"], row["seeds"]) for row in told["table"]] == [(0.2, 18, 2), (1, 90, 2)]
    assert [sentence.split()[0] for sentence in told["conclusions"]] == ["Fine-tuning", "Freezing"]
    kept = in_file()
    assert {key: kept[key] for key in told.keys() - {"folder"}} == {k: told[k] for k in told.keys() - {"folder"}}
    cells = {(cell["fraction"], cell["seed"], cell["contestant"]): cell["test_accuracy"] for cell in kept["cells"]}
    assert len(kept["cells"]) == len(cells) == 12
    for row in told["table"]:
        for name in ("scratch", "fine_tuned", "frozen"):
            two = [cells[row["fraction"], seed, name] for seed in (1, 2)]
            assert row[name]["mean"] == pytest.approx(np.mean(two))
            assert row[name]["sd"] == pytest.approx(abs(two[0] - two[1]) / 2**0.5)
    with Image.open("runs/finished_to_other/transfer.png") as image:
        assert image.format == "PNG"


def test_for_a_person(muslin, finished, other):
    code, out, err = muslin("transfer", finished.path, "--to", other, *FEW, "--freeze", "2", "--name", "mine")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["data", "samples", "scratch", "fine-tuned", "frozen", "difference"]
    figures = r" +\d+\.\d\d ± \d+\.\d\d" * 3 + r" +[+-]\d+\.\d\d ± \d+\.\d\d"
    assert re.fullmatch(r" *20 % +18" + figures, lines[1])
    assert re.fullmatch(r" *100 % +90" + figures, lines[2])
    assert lines[3].startswith("Fine-tuning ")
    assert lines[4].startswith("Freezing layers 1–2 ")
    assert lines[7] == f"network    that of {finished.path}, with a new head"
    assert lines[8:] == ["results    runs/mine/transfer.json", "picture    runs/mine/transfer.png"]


@pytest.mark.parametrize("who", [("--workers", 2), ("--cluster", "local:2")], ids=["processes", "Dask"])
def test_side_by_side_it_comes_to_the_same(who, muslin, finished, other, monkeypatch):
    """And a node that does not see our disk has the network all the same."""
    if "--cluster" in who:
        pytest.importorskip("distributed")
        monkeypatch.setattr("muslin.executors.node.os.path.exists", lambda path: False)
    one = ["--fraction", "0.2,1", "--seeds", 1, "--epochs", 2, "--min-steps", 20]

    def cells(name, *more):
        assert muslin("transfer", finished.path, "--to", other, *one, "--name", name, *more).code == 0
        kept = json.loads(Path("runs", name, "transfer.json").read_text())["cells"]
        by_name = {(cell["fraction"], cell["contestant"]): cell for cell in kept}
        return {name: {key: cell[key] for key in cell if key != "seconds"} for name, cell in by_name.items()}

    assert cells("there", *who) == cells("here")


def test_a_training_that_fails_elsewhere_is_said(muslin, finished, other):
    """The others are kept."""
    one = ["--fraction", "1", "--seeds", "1", "--epochs", "2", "--min-steps", "20", "--learning-rate", "1e30"]
    code, out, err = muslin("transfer", finished.path, "--to", other, *one, "--workers", "1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("muslin: scratch_1_seed_1: ")
    assert "diverged" in err


def test_one_seed(muslin, finished, other):
    code, out, err = muslin("transfer", finished.path, "--to", other, *FEW, "--seeds", "1", "--keep-head")
    assert (code, err) == (0, "")
    assert "nan" not in out
    assert "with the head that it had" in out
    assert in_file()["table"][0]["scratch"]["sd"] is None


def test_more_seeds_later(muslin, finished, other):
    def cells(*options):
        assert muslin("transfer", finished.path, "--to", other, *FEW, *options).code == 0
        return in_file()["cells"]

    first = cells("--seeds", "1", "--fraction", "1")
    assert len(first) == 3
    more = cells()
    assert len(more) == 12
    assert more[:3] == first  # to the second: not trained again
    assert cells("--seeds", "1") == more


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--fraction", "0"], "fraction is '0'; it must be fractions above 0, up to 1, such as 0.01,0.1,1."),
        (["--fraction", "0.5,1.1"], "fraction is '0.5,1.1'; it must be"),
        (["--fraction", "a"], "fraction is 'a'; it must be"),
        (["--fraction", "nan"], "fraction is 'nan'; it must be"),
        (["--freeze", "4"], "freeze is 4; it must be 1 to 3"),
        (["--epochs", "0"], "epochs is 0; it must be a whole number from 1."),
        (["--learning-rate", "0"], "learning_rate is 0.0; it must be a positive number."),
        (["--seeds", "0"], "--seeds"),
        (["--to", "nist"], "Unknown data set or path 'nist'"),
        (["--to", "wide.npz"], "has 64 inputs, the samples of wide have 100; its weights can go only"),
        (["--to", "untested.npz"], "no test part"),
        (["--to", "two.npz", "--keep-head"], "has 3 classes, two has 2; it needs a new head."),
        (["--runs-dir", "other.npz"], "Cannot write other.npz"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(flags, sentence, muslin, finished, other, alone):
    X, y = bars(30, 0)
    np.savez(
        "wide.npz", X=np.pad(X, ((0, 0), (1, 1), (1, 1))), y=y, X_test=np.zeros((3, 10, 10), np.uint8), y_test=y[:3]
    )
    np.savez("untested.npz", X=X, y=y)
    np.savez("two.npz", X=X[y < 2], y=y[y < 2], X_test=X[y < 2], y_test=y[y < 2])
    before = files(alone)
    code, out, err = muslin("transfer", finished.path, "--to", other, *FEW, *flags)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
    assert files(alone) == before


def test_other_settings_need_another_name(muslin, finished, other, alone):
    assert muslin("transfer", finished.path, "--to", other, *FEW).code == 0
    before = files(alone)
    code, out, err = muslin("transfer", finished.path, "--to", other, *FEW, "--epochs", "3")
    assert (code, out) == (2, "")
    assert err == (
        "muslin: runs/finished_to_other/transfer.json is of a transfer with another epochs; choose another --name.\n"
    )
    assert files(alone) == before


def test_interrupted_it_goes_on(start, child, finished, other, alone):
    path = alone / "my runs" / "x" / "transfer.json"
    flags = ["--to", other, "--min-steps", "1000", "--runs-dir", "my runs", "--name", "x", "--seeds", "1"]
    begin = {"preexec_fn": partial(signal.signal, signal.SIGINT, signal.SIG_DFL), "env": os.environ}
    process = start("transfer", finished.path, *flags, "--fraction", "0.5", **begin)
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (130, "", 1)
    saved, line = re.fullmatch(r"muslin: Interrupted; (\d) trainings are saved. Go on with: (.*)\n", err).groups()
    kept = json.loads(path.read_text())["cells"]
    assert 1 <= len(kept) == int(saved) < 3
    program, *arguments = shlex.split(line)
    assert program == "muslin"
    code, out, err = child(*arguments)
    assert (code, err) == (0, "")
    cells = json.loads(path.read_text())["cells"]
    assert len(cells) == 3
    assert cells[: len(kept)] == kept
