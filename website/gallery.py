"""The page of the gallery: each program of examples/ with what it says of itself."""

import ast
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"

INTRODUCTION = """# Gallery

Ten short programs that stand alone. Each runs in an empty folder, in seconds, without a download: copy one and change
it. Tests run all of them."""

#: in the order of the page; what is not here comes last
ORDER = [
    "tables",
    "pictures",
    "own_optimizer",
    "own_loss",
    "sweep",
    "cross_validation",
    "export_c",
    "transfer",
    "playground",
]


def page():
    """All of the page, Markdown."""
    paths = sorted(EXAMPLES.glob("*.py"), key=lambda path: [*ORDER, path.stem].index(path.stem))
    return "\n\n".join([INTRODUCTION, *map(section, paths), NOTEBOOK]) + "\n"


def section(path):
    text = path.read_text(encoding="utf-8")
    docstring = ast.parse(text).body[0]
    title, _, about = ast.get_docstring(ast.parse(text)).partition("\n\n")
    code = "\n".join(text.splitlines()[docstring.end_lineno :]).strip()
    return (
        f'## {title.rstrip(".")} {{: #{path.stem} }}\n\n{about}\n\n```python title="examples/{path.name}"\n{code}\n```'
    )


NOTEBOOK = """## Weights & Biases in a notebook, without an account

`examples/wandb_offline.ipynb` runs W&B's own code (`wandb.init`, `log`, `sweep`, `agent`) against a server of muslin's
on the same machine, in Jupyter or Colab. How it works: [W&B programs offline](offline.md)."""

if __name__ == "__main__":
    print(page())
