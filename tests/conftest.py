"""What several folders of tests share: a tiny data set, a run trained on it, and a browser."""

import shutil

import hypothesis
import numpy as np
import pytest
from toys import CLASSES, bars

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# the same examples in every run of `make test`; `make test-all` looks for new ones
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("new", deadline=None, max_examples=1000)


def pytest_configure(config):
    hypothesis.settings.load_profile("same" if config.option.markexpr else "new")


@pytest.fixture(scope="session")
def chromium():
    if not CHROMIUM:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """The path of an .npz file: 120 training and 30 test images of bars."""
    path = tmp_path_factory.mktemp("data") / "toy.npz"
    (X, y), (X_test, y_test) = bars(120, 0), bars(30, 1)
    np.savez(path, X=X, y=y, X_test=X_test, y_test=y_test, class_names=np.array(CLASSES))
    return path


@pytest.fixture(scope="session")
def finished(toy, tmp_path_factory):
    """A finished run on the toy data; to be read, not written."""
    from muslin import datasets, runs
    from muslin.runs.settings import Settings

    network = {"hidden_size": 16, "activation": "relu", "initializer": "he", "engine": "numpy"}
    settings = Settings.read(network, {"dataset": str(toy), "epochs": 8, "batch_size": 8, "learning_rate": 0.003})
    data = datasets.load(toy)
    run = runs.create(settings, data, tmp_path_factory.mktemp("runs"), "finished")
    runs.train(run, data)
    return run


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished run, to do with as one likes."""
    from muslin.runs import Run

    return Run(shutil.copytree(finished.path, tmp_path / "runs" / "copy"))
