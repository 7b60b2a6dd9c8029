"""muslin train --recipe: each can be read, is outranked by flags, and suits pictures only."""

import numpy as np
import pytest

from muslin.files import read_json
from muslin.recipes import RECIPES, recipe
from muslin.runs.settings import Settings

SMALL = ["-d", "digits", "--hidden-size", "16,8", "-b", "64", "-e", "2", "--warmup", "0.5"]


@pytest.mark.parametrize("name", RECIPES)
def test_each_is_a_set_of_settings(name):
    settings = Settings.read(recipe(name))
    network = settings.network(784, 10)
    assert network.sizes[-1] == 10
    assert settings.validation == 0


def test_flags_outrank_it(muslin, alone):
    assert muslin("train", "--recipe", "fashion-minute", *SMALL, "--shift", "0.5")[0] == 0
    config = read_json(alone / "runs/fashion-minute/config.json")
    given = {"dataset": "digits", "hidden_size": [16, 8], "epochs": 2, "shift": 0.5}
    kept = {"normalization": "batch", "mixup": 5.0, "beta2": 0.99, "schedule": "linear"}
    assert {name: config[name] for name in given | kept} == given | kept


def test_a_second_run_has_a_number(muslin, alone):
    for _ in range(2):
        assert muslin("train", "--recipe", "fashion-minute", *SMALL)[0] == 0
    assert (alone / "runs/fashion-minute-2/config.json").exists()


def test_a_name_that_is_none(muslin, alone):
    code, _, err = muslin("train", "--recipe", "fashion-hour")
    assert (code, err.count("\n")) == (2, 1)
    assert "choose from course, fashion-best, fashion-minute, fashion-ten, mnist-best" in err


def test_what_is_no_picture_is_not_moved(muslin, alone):
    np.savez("table.npz", X=np.random.default_rng(0).random((60, 9)), y=np.arange(60) % 3)
    code, _, err = muslin("train", "-d", "table.npz", "-b", "10", "-e", "1", "--shift", "1")
    assert (code, err.count("\n")) == (2, 1)
    assert "shift is for pictures" in err
    assert not (alone / "runs").exists()
