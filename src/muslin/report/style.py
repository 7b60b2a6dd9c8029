"""One visual style for every plot: legible in a column of a paper, and without color vision."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from muslin.files import atomic

INK, GREY, FAINT = "#1b1b1b", "#6b6b6b", "#d9d9d9"
#: training, validation: blue and orange of Okabe & Ito's palette (jfly.uni-koeln.de/color), told apart by dashes too
TRAINING, VALIDATION = "#0072B2", "#D55E00"
#: of layers, one after the other: the rest of that palette
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#1b1b1b")
DASHES = ("-", "--", ":", "-.", (0, (7, 2)), (0, (3, 1, 1, 1, 1, 1)))
#: from the negative weights over zero to the positive ones
WEIGHTS = ("#8a3a00", "#D55E00", "#ffffff", "#0072B2", "#00497a")
#: right and wrong cells of a matrix
RIGHT, WRONG = "#0072B2", "Oranges"

STYLE: dict[Any, Any] = {
    "figure.dpi": 150,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "text.parse_math": False,  # a $ in a class's name is a dollar
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "image.cmap": "gray_r",
}


@contextmanager
def figure(path: Path, width: float, height: float, **subplots: Any) -> Iterator[Any]:
    """Axes to draw on; on leaving, the figure is written to ``path`` as PNG, whole or not at all. Sizes in inches."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        drawing = Figure(figsize=(width, height))
        FigureCanvasAgg(drawing)
        yield drawing.subplots(**subplots)
        with atomic(path) as temporary, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box is drawn
            drawing.savefig(temporary, format="png")


def short(name: str, length: int = 20) -> str:
    """A class's name as one line of a length that fits beside a picture."""
    name = " ".join(name.split())
    return name if len(name) <= length else name[: length - 1] + "…"
