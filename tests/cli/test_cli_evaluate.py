"""muslin evaluate: the table, the figures, the pictures."""

import json

import numpy as np
import pytest
from PIL import Image
from toys import CLASSES, bars

from muslin.cli.evaluate import most_confused
from muslin.files import write_json


def test_json_has_the_figures_of_the_contract(muslin, copy):
    code, out, err = muslin("evaluate", copy.path, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    told = json.loads(out)
    assert told.keys() >= {"run", "test_accuracy", "test_loss", "confusion_matrix", "per_class", "macro", "pictures"}
    X, y = bars(30, 1)
    assert told["test_accuracy"] == (copy.model.predict(X) == y).mean()
    assert np.sum(told["confusion_matrix"], axis=1).tolist() == [10, 10, 10]
    assert np.trace(told["confusion_matrix"]) == round(30 * told["test_accuracy"])
    assert [set(row) for row in told["per_class"]] == [{"class", "precision", "recall", "f1", "samples"}] * 3
    assert [row["class"] for row in told["per_class"]] == list(CLASSES)
    assert set(told["macro"]) == {"precision", "recall", "f1"}
    summary = json.loads((copy.path / "summary.json").read_text())
    kept = ("test_accuracy", "test_loss", "confusion_matrix", "per_class", "macro")
    assert {key: summary[key] for key in kept} == {key: told[key] for key in kept}
    assert told["pictures"] == [str(copy.path / name) for name in ("confusion_matrix.png", "most_confused.png")]
    for picture in told["pictures"]:
        with Image.open(picture) as image:
            assert image.format == "PNG"
            assert min(image.size) > 100
            assert len(image.convert("RGB").getcolors(1 << 20)) > 10


def test_for_a_person(muslin, copy):
    code, out, err = muslin("evaluate", copy.path)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["class", "precision", "recall", "F1", "samples"]
    for name in (*CLASSES, "macro"):
        assert f"\n{name} " in out
    accuracy = json.loads((copy.path / "summary.json").read_text())["test_accuracy"]
    assert f"test       accuracy {accuracy:.2%}, loss " in out.splitlines()[-1]


def test_class_names_are_printed_as_they_are(muslin, toy, alone):
    with np.load(toy) as file:
        arrays = dict(file) | {"class_names": np.array(["[red]a", "[/]", ":smile:"])}
    np.savez("odd[b].npz", **arrays)
    assert muslin("train", "-d", "odd[b].npz", "-e", "1", "--hidden-size", "4", "--name", "x").code == 0
    code, out, err = muslin("evaluate", "runs/x")
    assert (code, err) == (0, "")
    for name in ("[red]a", "[/]", ":smile:"):
        assert f"\n{name} " in out
    assert muslin("data", "odd[b].npz").out.startswith("odd[b]: 120 training and 30 test samples of 8×8 pixels\n")


def test_a_run_is_found_from_another_folder_by_its_own_data(muslin, copy, alone, monkeypatch):
    (alone / "elsewhere").mkdir()
    monkeypatch.chdir(alone / "elsewhere")
    assert muslin("evaluate", "../runs/copy").code == 0


def test_evaluating_twice_gives_the_same(muslin, copy):
    first = muslin("evaluate", copy.path, "--json").out
    assert muslin("evaluate", copy.path, "--json").out == first


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[5, 0], [0, 5]], []),
        ([[5, 2], [3, 5]], [(1, 0, 3), (0, 1, 2)]),
        ([[5, 1, 0], [0, 5, 0], [0, 7, 0]], [(2, 1, 7), (0, 1, 1)]),
        ([[0, 1, 1], [1, 0, 1], [1, 1, 0]], [(0, 1, 1), (0, 2, 1), (1, 0, 1)]),
    ],
    ids=str,
)
def test_most_confused(matrix, expected):
    assert most_confused(np.array(matrix), n=3) == expected


def test_most_confused_pairs_are_named(muslin, copy):
    """The classes are renamed so that the well-trained network takes each for another."""
    config = json.loads((copy.path / "config.json").read_text())
    with np.load(config["dataset"]) as file:
        arrays = dict(file)
    arrays["y_test"] = np.where(arrays["y_test"] == 0, 2, arrays["y_test"])
    np.savez("renamed.npz", **arrays)
    from muslin import datasets

    checksums = datasets.load("renamed.npz").checksums
    write_json(copy.path / "config.json", config | {"dataset": "renamed.npz", "data_checksums": checksums})
    told = json.loads(muslin("evaluate", copy.path, "--json").out)
    assert told["most_confused"][0]["true"] == "right"
    assert told["most_confused"][0]["predicted"] == "left"
    assert "× right taken for left" in muslin("evaluate", copy.path).out


def test_a_table_has_no_picture_of_samples(muslin, alone):
    X, y = bars(60, 0)
    rows = X.reshape(60, -1)[:, :13] / 255
    np.savez("table.npz", X=rows, y=y, X_test=rows, y_test=y)
    assert muslin("train", "-d", "table.npz", "-e", "1", "--hidden-size", "4", "--name", "t").code == 0
    told = json.loads(muslin("evaluate", "runs/t", "--json").out)
    assert told["pictures"] == ["runs/t/confusion_matrix.png"]
    assert not (alone / "runs/t/most_confused.png").exists()
