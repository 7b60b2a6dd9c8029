"""muslin data and muslin samples."""

import json

import numpy as np
from PIL import Image
from toys import CLASSES


def test_data_as_json(muslin, toy):
    code, out, err = muslin("data", toy, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    told = json.loads(out)
    assert told.pop("checksums").keys() == {"toy.npz"}
    assert told == {
        "dataset": "toy",
        "training_samples": 120,
        "test_samples": 30,
        "inputs": 64,
        "image_shape": [8, 8],
        "classes": dict.fromkeys(CLASSES, 40),
    }


def test_data_for_a_person(muslin, toy):
    code, out, err = muslin("data", "digits")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "digits: 1,500 training and 297 test samples of 28×28 pixels"
    assert out.count("verified   ") == 4
    assert "classes    left 40, middle 40, right 40\n" in muslin("data", toy).out


def test_data_without_images_or_a_test_part(muslin, alone):
    np.savez("flat.npz", X=np.eye(5), y=np.arange(5))
    assert muslin("data", "flat.npz").out.startswith("flat: 5 training and 0 test samples of 5 numbers\n")
    assert json.loads(muslin("data", "flat.npz", "--json").out)["image_shape"] is None


def test_data_of_numbers_and_of_labels(muslin, alone):
    np.savez("two.npz", X=np.eye(5), y=np.array([[0.5, -2], [1.25, 0], [1, 3], [1, 3], [1, 3]]))
    assert "numbers    0.5 to 1.25\nnumbers    -2 to 3\n" in muslin("data", "two.npz").out
    assert json.loads(muslin("data", "two.npz", "--json").out)["numbers"] == [[0.5, 1.25], [-2, 3]]


def test_the_columns_of_a_table_as_json(muslin, alone):
    (alone / "t.csv").write_text("age,city\n" + "".join(f"{30 + i},{'AB'[i % 2]}\n" for i in range(20)))
    told = json.loads(muslin("data", "t.csv", "--json").out)
    assert (told["dataset"], told["rows"]) == ("t.csv", 20)
    assert [column["name"] for column in told["columns"]] == ["age", "city"]


def test_samples(muslin, toy, alone):
    code, out, err = muslin("samples", "-d", toy)
    assert (code, out, err) == (0, "samples.png  one of each: left, middle, right\n", "")
    with Image.open("samples.png") as image:
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(1 << 20)) > 20


def test_samples_as_json_with_another_seed_elsewhere(muslin, toy, alone):
    code, out, err = muslin("samples", "-d", toy, "--out", "new/folder/a.png", "--seed", 1, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"picture": "new/folder/a.png", "classes": list(CLASSES)}
    muslin("samples", "-d", toy)
    assert (alone / "samples.png").read_bytes() != (alone / "new/folder/a.png").read_bytes()
