"""muslin blackboard, and muslin playground --toy: pages with the formulas of the tables, and of one's own."""

import json
import re
from pathlib import Path

import pytest

from muslin import FeedForwardNeuralNetwork

EXTENDING = Path(__file__).parents[2] / "docs" / "extending.md"
ODD = """
import numpy as np
from muslin import FeedForwardNeuralNetwork

def odd(a):
    return np.unwrap(a)

FeedForwardNeuralNetwork.activations["odd"] = (odd, odd)
"""


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    for name in ("activations", "losses", "optimizers", "initializers"):
        monkeypatch.setattr(FeedForwardNeuralNetwork, name, dict(getattr(FeedForwardNeuralNetwork, name)))


@pytest.fixture
def eve(alone):
    """The Eve of docs/extending.md in a file of its own."""
    text = re.findall(r"```python\n(.*?)```", EXTENDING.read_text(encoding="utf-8"), re.DOTALL)[0]
    (alone / "eve.py").write_text(text, encoding="utf-8")
    return alone / "eve.py"


def test_json(muslin, alone):
    code, out, err = muslin("blackboard", "--sizes", "2,3,2", "-o", "adam", "--set", "beta1=0.8", "--seed", 4, "--json")
    facts = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert (facts["page"], facts["missing"]) == ("blackboard.html", [])
    assert facts["bytes"] == (alone / "blackboard.html").stat().st_size < 400_000
    assert facts["settings"].items() >= {"sizes": "2,3,2", "optimizer": "adam", "beta1": 0.8, "seed": 4}.items()


def test_for_a_person(muslin, alone):
    code, out, err = muslin("blackboard", "--output", "class.html", "--data", "iris")
    assert (code, err) == (0, "")
    assert out.startswith("class.html  ")
    assert "iris" in (alone / "class.html").read_text(encoding="utf-8")


def test_toy(muslin, alone):
    code, out, err = muslin("playground", "--toy", "--json")
    facts = json.loads(out)
    assert (code, err) == (0, "")
    assert facts == {"page": "toy.html", "missing": [], "bytes": (alone / "toy.html").stat().st_size}


@pytest.mark.parametrize("command", [("blackboard", "-o", "eve"), ("playground", "--toy")], ids=lambda words: words[0])
def test_an_optimizer_of_one_s_own(command, muslin, eve):
    code, out, err = muslin(*command, "--formulas", eve, "--json")
    assert (code, err) == (0, "")
    page = Path(json.loads(out)["page"]).read_text(encoding="utf-8")
    assert "function eve(theta$, g$, [m$, v$, f$, d$]" in page


@pytest.mark.parametrize("command", [("blackboard",), ("playground", "--toy")], ids=lambda words: words[0])
def test_what_cannot_be_translated_is_named(command, muslin, alone):
    (alone / "odd.py").write_text(ODD, encoding="utf-8")
    code, out, err = muslin(*command, "--formulas", "odd.py", "--json")
    sentence = "The activation odd is not in the page: np.unwrap has no JavaScript."
    assert (code, err) == (0, f"{sentence}\n")
    assert json.loads(out)["missing"] == [sentence]
    assert sentence in Path(json.loads(out)["page"]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("blackboard", "-a", "odd"), "The activation odd cannot be translated to JavaScript: np.unwrap has no"),
        (("blackboard", "-o", "adm"), "Unknown optimizer 'adm'; choose from"),
        (("blackboard", "--sizes", "2,b"), "--sizes is '2,b'; it must be whole numbers, such as 3,4,2."),
        (("blackboard", "--set", "beta1"), "--set 'beta1': it must be a name and a number"),
        (("blackboard", "--data", "digits"), "digits has 784 inputs and 10 classes; a blackboard has room for 10"),
        (("blackboard", "--data", "nowhere"), "Unknown data set or path 'nowhere'"),
        (("blackboard", "--formulas", "nowhere.py"), "There is no file nowhere.py; --formulas takes a Python file."),
        (("blackboard", "--formulas", "broken.py"), "broken.py, line 2: NameError: name 'x' is not defined"),
        (("playground",), "playground takes a run directory, or --toy; one of them."),
        (("playground", "run", "--toy"), "playground takes a run directory, or --toy; one of them."),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, tuple) else "",
)
def test_bad_input(words, sentence, muslin, alone):
    (alone / "odd.py").write_text(ODD, encoding="utf-8")
    (alone / "broken.py").write_text("y = 1\nx\n", encoding="utf-8")
    more = ("--formulas", "odd.py") if "odd" in words else ()
    code, out, err = muslin(*words, *more)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err
    assert not list(alone.glob("*.html"))
