"""Run the notebook from top to bottom and keep what it shows.

python notebooks/run.py               in place, as it is committed
python notebooks/run.py OUT.ipynb     into another file
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from muslin.files import write_text

NOTEBOOK = Path(__file__).with_name("fashion_mnist.ipynb")


def run(path=NOTEBOOK):
    """Write the executed notebook to ``path``: outputs, but no times and no versions, which would change every time.

    Raises nbclient's CellExecutionError, and writes nothing, where a cell fails.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    metadata = dict(notebook.metadata)
    options = {"record_timing": False, "coalesce_streams": True, "extra_arguments": ["--log-level=ERROR"]}
    NotebookClient(notebook, resources={"metadata": {"path": NOTEBOOK.parent}}, **options).execute()
    notebook.metadata = metadata
    write_text(path, nbformat.writes(notebook) + "\n")


if __name__ == "__main__":
    run(*sys.argv[1:])
