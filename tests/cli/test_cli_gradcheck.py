"""muslin gradcheck: the table, the exit code."""

import json

import pytest

from muslin.activations import ACTIVATIONS, relu
from muslin.losses import losses_of
from muslin.normalization import NORMALIZATIONS
from muslin.outputs import OUTPUTS

PAIRS = [(output, loss) for output in OUTPUTS for loss in losses_of(output)]
SMALL = "--hidden-size", "3"  # a fifth of the time


def test_all_pass(muslin):
    code, out, err = muslin("gradcheck", "--json", *SMALL)
    assert (code, err, out.count("\n")) == (0, "", 1)
    told = json.loads(out)
    assert told["passed"] is True
    checks = [tuple(row[key] for key in ("normalization", "activation", "output", "loss")) for row in told["checks"]]
    assert checks == [(n, a, *pair) for n in NORMALIZATIONS for a in ACTIVATIONS for pair in PAIRS]
    assert 0 < told["largest_error"] == max(max(row["layers"]) for row in told["checks"]) < told["tolerance"] == 1e-7


def test_for_a_person(muslin):
    code, out, err = muslin("gradcheck", "-a", "ReLU", "-l", "MSE", "--output", "linear", "--hidden-size", "3")
    assert (code, err) == (0, "")
    head, *rows, verdict = out.splitlines()
    assert head.split() == ["activation", "normalization", "output", "loss", "layer", "1", "layer", "2"]
    assert [row.split()[:4] for row in rows] == [["relu", n, "identity", "mean_squared_error"] for n in NORMALIZATIONS]
    assert verdict.startswith("passed: largest relative error ")


@pytest.mark.parametrize("slope", [lambda a, h: h, lambda a, h: 1.001 * (h > 0)], ids=["wrong", "a thousandth off"])
def test_a_wrong_slope_fails_with_1(slope, muslin, monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "relu", (relu, slope))
    code, out, err = muslin("gradcheck", "-l", "cross_entropy", "--output", "softmax", *SMALL)
    assert (code, err) == (1, "")
    assert out.splitlines()[-1].startswith("FAILED: largest relative error ")
    code, out, _ = muslin("gradcheck", "-l", "cross_entropy", "--output", "softmax", "--json", *SMALL)
    told = json.loads(out)
    assert (code, told["passed"]) == (1, False)
    failed = [row["activation"] for row in told["checks"] if max(row["layers"]) > told["tolerance"]]
    assert failed == ["relu"] * len(NORMALIZATIONS)


def test_an_activation_of_one_s_own_is_checked_too(muslin, monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "square", (lambda a: a * a, lambda a, h: 2 * a))
    assert [
        row["activation"] for row in json.loads(muslin("gradcheck", "-a", "square", "--json", *SMALL).out)["checks"]
    ] == ["square"] * (len(PAIRS) * len(NORMALIZATIONS))


def test_what_does_not_go_together(muslin):
    code, out, err = muslin("gradcheck", "-l", "huber", "--output", "softmax")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "huber does not go with the output softmax" in err


def test_seed_and_sizes_change_the_network(muslin):
    def errors(*flags):
        return json.loads(muslin("gradcheck", "-a", "tanh", "-l", "huber", "--json", *flags).out)["largest_error"]

    assert errors() == errors("--seed", "0") != errors("--seed", "1")
    assert errors("--hidden-size", "3,2,4") != errors()
