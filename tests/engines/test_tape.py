"""What a tape says of itself: the calls by name and operands, as docs/tape.md shows them."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: pip install 'muslin[fast]'"
)

PAGE = Path(__file__).parents[2] / "docs" / "tape.md"


@pytest.fixture
def tapes():
    """tapes(threads): what a small network's step is on tape, one text a thread."""
    from muslin.engines.player import TapedStep
    from muslin.training.settings import TrainingSettings
    from muslin.training.step import Step

    def make(threads, batch=32):
        X, y = np.zeros((100, 784), np.uint8), np.arange(100) % 10
        network = FeedForwardNeuralNetwork([784, 64, 10], engine="numba")
        step = Step(network, X, y, network.optimizers["adam"], TrainingSettings(batch_size=batch))
        return [str(tape) for tape in TapedStep(step, step.y, batch, 4, threads).tapes]

    return make


def test_the_page_shows_what_is_printed(tapes):
    blocks = [block.strip() for block in re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)]
    assert tapes(1)[0] in blocks
    assert tapes(2)[1] in blocks


def test_each_thread_has_its_share(tapes):
    first, second = (text.splitlines() for text in tapes(2))
    assert [line.split()[0] for line in first] == [line.split()[0] for line in second]
    assert "gemm             W1[:,0:384] H0[…] → sum1" in first
    assert "gemm             W1[:,384:784] H0[…] → sum2" in second
    updates = [line.partition("→ ")[2].split()[0] for line in second if line.startswith("adam")]
    assert updates == ["W1[:,384:784]", "W2[:,32:64]", "b1[32:64]", "b2[5:10]"]


def test_a_gemm_by_name(tapes):
    assert "gemm             W1 H0 → A1" in tapes(1)[0].splitlines()
