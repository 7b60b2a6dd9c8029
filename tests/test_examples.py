"""The gallery: every example runs by itself in an empty folder and says what it should."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from muslin import FeedForwardNeuralNetwork

EXAMPLES = Path(__file__).parents[1] / "examples"
PYTHON = sorted(path.stem for path in EXAMPLES.glob("*.py"))

#: what `make test` trains in place of what is in the file
SMALL = {"EPOCHS": "2", "TRIALS": "2", "FOLDS": "2"}

#: example → what its last line is in full, and the least that its number may be
FULL = {
    "cross_validation": (r"best +([.\d]+) with", 0.95),
    "export_c": (r"accuracy +([.\d]+), computed in C", 0.94),
    "own_loss": (r"quantile +([.\d]+) of the test", 0.84),
    "own_optimizer": (r"nadam .* accuracy ([.\d]+)", 0.93),
    "pictures": (r"accuracy +([.\d]+),", 0.9),
    "playground": (r"blackboard.html +(\d+) kB", 50),
    "sweep": (r"value +([.\d]+), 20 trials", 0.95),
    "tables": (r"accuracy +([.\d]+) of 36", 0.85),
    "transfer": (r"first layer frozen +([.\d]+)", 0.8),
}


def small(name):
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    for constant, value in SMALL.items():
        text = re.sub(rf"^( *){constant} = \d+", rf"\g<1>{constant} = {value}", text, flags=re.MULTILINE)
    return text


@pytest.fixture
def tables(monkeypatch):
    """What an example adds to the tables goes with it."""
    for table in ("optimizers", "losses"):
        monkeypatch.setattr(FeedForwardNeuralNetwork, table, dict(getattr(FeedForwardNeuralNetwork, table)))


def test_there_are_ten():
    assert sorted(FULL) == PYTHON
    assert len([*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.ipynb")]) == 10


@pytest.mark.filterwarnings("ignore:.*converged")
@pytest.mark.parametrize("name", sorted(FULL.keys() - {"sweep"}))  # whose workers are processes
def test_an_example_runs(name, tmp_path, monkeypatch, tables, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{name}.py").write_text(small(name), encoding="utf-8")
    runpy.run_path(str(tmp_path / f"{name}.py"), run_name="__main__")
    if name != "export_c" or shutil.which("cc"):
        assert re.search(FULL[name][0], capsys.readouterr().out.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", PYTHON)
def test_an_example_in_full(name, tmp_path):
    words = [sys.executable, "-W", "error", EXAMPLES / f"{name}.py"]
    found = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    pattern, least = FULL[name]
    assert float(re.search(pattern, found.stdout.splitlines()[-1])[1]) >= least


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_c_says_what_the_network_says(tmp_path):
    (tmp_path / "export_c.py").write_text(small("export_c"), encoding="utf-8")
    found = subprocess.run([sys.executable, "export_c.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert "the same   297 of 297 answers" in found.stdout


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / "wandb_offline.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("EPOCHS, TRIALS = 8, 6", "EPOCHS, TRIALS = 2, 2")
    options = {"timeout": 240, "resources": {"metadata": {"path": str(tmp_path)}}}
    NotebookClient(notebook, extra_arguments=["--log-level=ERROR"], **options).execute()
    said = "".join(output.get("text", "") for output in notebook.cells[-1].outputs)
    assert re.search(r"2 trials, best validation accuracy 0\.\d+ with", said)
    assert len(list((tmp_path / "runs" / "notebook").glob("*/*/history.jsonl"))) == 2
