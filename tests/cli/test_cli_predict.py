"""muslin predict: pictures of any size are named."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import CLASSES, bars

from muslin.runs import Run


@pytest.fixture
def pictures(alone):
    """A test image of each class, in the data set's own size."""
    X, y = bars(30, 1)
    for c, name in enumerate(CLASSES):
        Image.fromarray(X[np.flatnonzero(y == c)[0]]).save(f"{name}.png")
    return [f"{name}.png" for name in CLASSES]


def test_json(muslin, copy, pictures):
    code, out, err = muslin("predict", copy.path, *pictures, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    told = json.loads(out)
    assert told["run"] == str(copy.path)
    assert [row["image"] for row in told["predictions"]] == pictures
    assert [row["class"] for row in told["predictions"]] == list(CLASSES)
    for row in told["predictions"]:
        chances = [top["probability"] for top in row["top"]]
        assert {top["class"] for top in row["top"]} == set(CLASSES)
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) == pytest.approx(1, abs=1e-5)
        assert row["probability"] == chances[0] > 0.5


def test_for_a_person(muslin, copy, pictures):
    code, out, err = muslin("predict", copy.path, *pictures, "--top", 1)
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [[f"{name}.png", name] for name in CLASSES]
    assert all(line.endswith("%") for line in out.splitlines())


@pytest.mark.parametrize("top", [1, 2, 3, 99])
def test_top(top, muslin, copy, pictures):
    told = json.loads(muslin("predict", copy.path, pictures[0], "--top", top, "--json").out)
    assert len(told["predictions"][0]["top"]) == min(top, 3)


def test_dark_on_light_is_turned(muslin, copy, pictures):
    for name in pictures:
        Image.fromarray(255 - np.asarray(Image.open(name))).save(name)
    told = json.loads(muslin("predict", copy.path, *pictures, "--json").out)
    assert [row["class"] for row in told["predictions"]] == list(CLASSES)


def test_a_data_set_of_floats_has_its_own_scale(muslin, toy, pictures):
    """The same pictures, stored as −1 … 1: what is read from a file is brought to that range."""
    with np.load(toy) as file:
        arrays = {key: file[key] / 127.5 - 1 if key.startswith("X") else file[key] for key in file}
    np.savez("floats.npz", **arrays)
    flags = ["-e", "8", "-b", "8", "--hidden-size", "16,16", "-a", "tanh", "--learning-rate", "0.003"]
    assert muslin("train", "-d", "floats.npz", *flags, "--name", "x").code == 0
    told = json.loads(muslin("predict", "runs/x", *pictures, "--json").out)
    X = arrays["X_test"][:3].astype(np.float32)
    expected = Run(Path("runs/x")).model.predict_proba(X).max(axis=1)
    assert [row["probability"] for row in told["predictions"]] == pytest.approx(expected, abs=1e-4)
    assert [row["class"] for row in told["predictions"]] == list(CLASSES)


def test_samples_that_are_no_images(muslin, alone, pictures):
    X, y = bars(30, 0)
    np.savez("flat.npz", X=X.reshape(30, -1)[:, :60], y=y)
    assert muslin("train", "-d", "flat.npz", "-e", "1", "-b", "8", "--name", "x").code == 0
    code, out, err = muslin("predict", "runs/x", pictures[0])
    assert (code, out) == (2, "")
    assert err.startswith("muslin: runs/x was trained on flat, whose samples are not images. An .npz has images where")


def test_larger_pictures_are_read(muslin, alone):
    """Two classes that differ in what is left once a picture is cut out and centered: lying and standing bars."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 40, (60, 28, 28))
    X[::2, 4:24, 12:16] += 200
    X[1::2, 12:16, 4:24] += 200
    np.savez("bars.npz", X=X.astype(np.uint8), y=np.arange(60) % 2, class_names=np.array(["standing", "lying"]))
    assert muslin("train", "-d", "bars.npz", "-e", "8", "-b", "8", "--learning-rate", "0.01", "--name", "x").code == 0
    paper = np.full((400, 300, 3), 200, np.uint8)
    paper[50:350, 200:260] = (20, 40, 120)
    Image.fromarray(paper).save("a.jpg")
    Image.fromarray(np.rot90(paper)).save("b.jpg")
    told = json.loads(muslin("predict", "runs/x", "a.jpg", "b.jpg", "--json").out)
    assert [row["class"] for row in told["predictions"]] == ["standing", "lying"]
