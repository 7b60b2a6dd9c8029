"""What the README shows is what happens; and Eve, whom docs/extending.md adds, is that of the paper."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork, datasets
from muslin.engines import blas

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
(PROGRAM,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
EVE = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(encoding="utf-8"), re.DOTALL)[0]


def test_the_program_ends_in_a_number(capsys):
    exec(PROGRAM.replace('"fashion_mnist"', '"digits"').replace("epochs=5", "epochs=15"), {})
    assert float(capsys.readouterr().out.splitlines()[-1]) > 0.9


@pytest.fixture
def eve(tmp_path, monkeypatch):
    (tmp_path / "eve_of_readme.py").write_text(EVE, encoding="utf-8")
    monkeypatch.setattr(FeedForwardNeuralNetwork, "optimizers", dict(FeedForwardNeuralNetwork.optimizers))
    spec = importlib.util.spec_from_file_location("eve_of_readme", tmp_path / "eve_of_readme.py")
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module.eve


def trained(engine, **settings):
    data = datasets.load("digits")
    network = FeedForwardNeuralNetwork([784, 32, 10], engine=engine)
    history = network.fit(data.X_train, data.y_train, optimizer="eve", epochs=3, **settings)
    return network.theta.copy(), history["loss"]


def trained_on_one_thread(engine):
    with blas.threads(1):
        return trained(engine)


def test_an_optimizer_of_ones_own_learns_and_takes_its_settings(eve):
    theta, losses = trained("numpy")
    assert losses[-1] < losses[0] / 2
    assert not np.array_equal(theta, trained("numpy", beta3=0.5)[0])


def test_an_optimizer_of_ones_own_is_compiled(eve):
    pytest.importorskip("numba")
    from muslin.engines import engine

    assert engine("numba").compiled("update", eve, np.dtype("float32"))
    (theta, losses), (expected, told) = (trained_on_one_thread(engine) for engine in ("numba", "numpy"))
    np.testing.assert_array_equal(theta, expected)
    assert losses == told


def test_eve_is_that_of_the_paper(eve):
    """Algorithm 1 of arXiv:1611.01505, for one parameter, step by step."""
    theta, m, v, f, d, losses = 1.0, 0.0, 0.0, 0.0, 1.0, [2.0, 5.0, 4.0]
    ours = [np.array([x]) for x in (1.0, 0.0, 0.0, 0.0, 0.0)]
    for t, loss in enumerate(losses, 1):
        g = theta * loss
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        if t > 1:
            d = 0.99 * d + 0.01 * min(max(abs(loss - f) / min(loss, f), 0.1), 10.0)
        theta, f = theta - 0.01 * m / (1 - 0.9**t) / (d * (np.sqrt(v / (1 - 0.999**t)) + 1e-8)), loss
        with np.errstate(divide="ignore"):
            ours = eve(ours[0], np.array([g]), *ours[1:], learning_rate=0.01, t=t, loss=loss, beta3=0.99)
        ours = [np.broadcast_to(x, 1) for x in ours]
        assert ours[0][0] == pytest.approx(theta, rel=1e-12)


@pytest.mark.parametrize("target", re.findall(r"\$ make (\S+)", README))
def test_the_commands_are_there(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)]+)\)", README))
def test_links_lead_somewhere(path):
    page, _, anchor = path.partition("#")
    assert (ROOT / page).exists()
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
    assert anchor in ["", *(re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings)]
