"""The notebook runs from top to bottom, and what it shows is what it found."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
COMMITTED = nbformat.read(NOTEBOOKS / "fashion_mnist.ipynb", as_version=4)

PICTURES = {
    *("samples", "check-plot", "training-curves", "test", "confused"),
    *("sweep-coordinates", "sweep-correlation", "sweep-history", "eve-plot", "transfer-plot"),
}


def texts(cell):
    return "".join(out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell.outputs)


def pictures(cells):
    """The ids of the cells that show one."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    return {cell.id for cell in code if any("image/png" in out.get("data", {}) for out in cell.outputs)}


def test_it_runs_from_top_to_bottom_with_the_small_budget(tmp_path):
    small = os.environ | {"MUSLIN_BUDGET": "small", "TMPDIR": str(tmp_path)}
    out = tmp_path / "small.ipynb"
    subprocess.run([sys.executable, NOTEBOOKS / "run.py", out], env=small, check=True, timeout=300)
    executed = nbformat.read(out, as_version=4)
    cells = {cell.id: cell for cell in executed.cells}
    figures = ast.literal_eval(texts(cells["figures-code"]))
    assert figures["gradient_error"] < 1e-7
    assert figures["difference_after_one_epoch"] < 1e-10
    assert figures["same_predictions"]
    assert figures["test_accuracy"] > 0.9
    assert figures["eve_loss"] < 0.5
    assert "8 finished" in texts(cells["sweep-run"])
    assert re.search(r"^test +accuracy", texts(cells["best-run"]), re.MULTILINE)
    assert pictures(executed.cells) == PICTURES
    assert executed.metadata == COMMITTED.metadata
    assert not any(cell.metadata for cell in executed.cells)


def test_what_is_committed_is_a_full_run():
    code = [cell for cell in COMMITTED.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert {out.output_type for cell in code for out in cell.outputs} <= {"stream", "display_data", "execute_result"}
    assert pictures(code) == PICTURES
    cells = {cell.id: cell for cell in code}
    assert "(60000, 784)" in texts(cells["load"])
    assert 0.86 < ast.literal_eval(texts(cells["figures-code"]))["test_accuracy"] < 0.9
    assert not re.search(r"/(home|root|tmp|Users|content)/", json.dumps([cell.outputs for cell in code]))
