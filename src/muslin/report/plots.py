"""The plots of a run, each one function: data in, PNG file out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from muslin.report.style import DASHES, GREY, INK, RIGHT, SERIES, TRAINING, VALIDATION, WEIGHTS, WRONG, figure, short

#: from more classes than these, a confusion matrix has no room for names and numbers
LEGIBLE = 50
#: up to so many epochs, each has a marker of its own
MARKED = 60
#: the share of a class that is taken for one other class from which a cell of the confusion matrix has its full shade:
#: of a fixed size, so that a good network's matrix looks like one
ALARMING = 0.3


def curves(history: Any, path: Path) -> None:
    """Loss and accuracy of every epoch, training and validation."""
    epochs = [row["epoch"] for row in history]
    with figure(path, 6.4, 2.6, ncols=2) as axes:
        second = "r2" if "val_r2" in history[0] else "accuracy"
        for ax, key in zip(axes, ("loss", second), strict=True):
            marker = _marker(history)
            if key in history[0]:
                ax.plot(epochs, [row[key] for row in history], color=TRAINING, marker=marker, label="training")
            if f"val_{key}" in history[0]:
                values = [row[f"val_{key}"] for row in history]
                ax.plot(epochs, values, color=VALIDATION, marker=marker, linestyle="--", label="validation")
            ax.set(title="R²" if key == "r2" else key.capitalize())
            _epochs(ax)
        axes[0].legend()
        if second == "accuracy":
            axes[1].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")


def learning_rate(history: Any, path: Path) -> None:
    """η at the end of every epoch."""
    with figure(path, 3.4, 2.4) as ax:
        rates = [row["learning_rate"] for row in history]
        ax.plot([row["epoch"] for row in history], rates, marker=_marker(history), color=TRAINING)
        ax.set(title="Learning rate", ylim=(0, None))
        ax.yaxis.get_major_formatter().set_powerlimits((-3, 4))
        _epochs(ax)


def diagnostics(history: Any, path: Path) -> None:
    """Gradient norms of every layer, and the share of dead units of every hidden layer, after every epoch."""
    from matplotlib.ticker import LogLocator, NullLocator

    epochs = [row["epoch"] for row in history]
    with figure(path, 6.4, 2.6, ncols=2) as axes:
        for ax, key in zip(axes, ("gradient_norms", "dead_units"), strict=True):
            for k, values in enumerate(zip(*(row[key] for row in history), strict=True)):
                style = {"color": SERIES[k % len(SERIES)], "linestyle": DASHES[k % len(DASHES)]}
                ax.plot(epochs, np.array(values, float), marker=_marker(history), label=f"layer {k + 1}", **style)
            _epochs(ax)
        axes[0].set(title="Gradient norms", yscale="log")
        axes[0].yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), minor_locator=NullLocator())
        axes[0].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes[1].set(title="Dead units", ylim=(-0.02, 1.02))
        axes[1].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        handles, labels = axes[0].get_legend_handles_labels()
        axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)))


def varies(history: Any) -> bool:
    """Whether the learning rate is not the same in all epochs: only then there is something to draw."""
    return len({row.get("learning_rate") for row in history}) > 1


def _marker(history):
    return "." if len(history) <= MARKED else ""


def _epochs(ax):
    ax.set_xlabel("epoch")
    ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def weights(W: np.ndarray, shape: tuple[int, int], path: Path, most: int = 64, columns: int = 16) -> None:
    """The first layer's weights as images, of the units with the largest ones.  W: (n_1 × n_0), shape: of an image.

    Orange is negative, white zero, blue positive, on one scale for all.
    """
    units = strongest(W, most)
    lines = -(-len(units) // columns)
    tiles = np.full((lines * columns, shape[0] + 2, shape[1] + 2, 3), 255, np.uint8)
    tiles[: len(units), 1:-1, 1:-1] = in_color(W[units]).reshape(-1, *shape, 3)
    sheet = tiles.reshape(lines, columns, *tiles.shape[1:]).swapaxes(1, 2).reshape(lines * tiles.shape[1], -1, 3)
    with figure(path, 6.4, 6.4 * sheet.shape[0] / sheet.shape[1] + 0.25) as ax:
        ax.imshow(sheet)
        ax.set_title(f"Weights of {len(units)} units of layer 1: blue positive, orange negative")
        ax.axis("off")


def strongest(W: np.ndarray, most: int) -> np.ndarray:
    """The numbers of the rows with the longest weight vectors, in their order."""
    return np.sort(np.argsort(-np.linalg.norm(W, axis=1), kind="stable")[:most])


def in_color(W: np.ndarray) -> np.ndarray:
    """Weights as colors: (… × n) → (… × n × 3) uint8. One in two hundred is beyond the ends of the scale."""
    from matplotlib.colors import LinearSegmentedColormap

    most = np.quantile(np.abs(W), 0.995) or 1
    colors = LinearSegmentedColormap.from_list("weights", WEIGHTS, N=257)(0.5 + W / (2 * most), bytes=True)
    return np.ascontiguousarray(colors[..., :3])


def mistakes(
    data: Any, probabilities: np.ndarray, rows: np.ndarray, path: Path, most: int = 24, columns: int = 8
) -> None:
    """Test images that are taken for another class.  probabilities: (N × classes), rows: of the mistakes, in order."""
    rows = rows[:most]
    lines = max(1, -(-len(rows) // columns))
    with figure(path, 6.4, 1.2 * lines + 0.1, nrows=lines, ncols=columns, squeeze=False) as axes:
        for ax in axes.flat:
            ax.axis("off")
        if not len(rows):
            axes[0, 0].text(0, 0.5, "No test sample is taken for another class.")
        for ax, row in zip(axes.flat, rows, strict=False):
            true, taken = (short(data.class_names[c], 12) for c in (data.y_test[row], probabilities[row].argmax()))
            _image(ax, data.X_test[row], data)
            text = f"is {true}\nsays {taken}\n{probabilities[row].max():.2%}"
            ax.set_title(text, loc="center", fontweight="normal", fontsize=7)


def confusion(matrix: Any, names: Sequence[str], path: Path) -> None:
    """A confusion matrix [true][predicted]. The shade is the `heat` of the mistakes; what is right, on the diagonal,
    has a color of its own; the numbers are counts (of up to 50 classes)."""
    matrix = np.asarray(matrix)
    n = len(names)
    shade = heat(matrix)
    wrong = np.ma.masked_array(shade, np.eye(n, dtype=bool))
    side = max(4.2, 0.46 * n + 1.6) if n <= LEGIBLE else 7.2
    with figure(path, side, side) as ax:
        ax.imshow(wrong, cmap=WRONG, vmin=0, vmax=1)
        ax.imshow(np.ma.masked_array(np.ones((n, n)), ~np.eye(n, dtype=bool)), cmap=_one_color(RIGHT), vmin=0, vmax=1)
        if n <= LEGIBLE:
            for t, p in np.argwhere(matrix):
                color = "white" if t == p or shade[t, p] > 0.6 else INK
                ax.text(p, t, f"{matrix[t, p]:,}", ha="center", va="center", fontsize=8, color=color)
            ax.set_xticks(range(n), map(short, names), rotation=45, ha="right", rotation_mode="anchor")
            ax.set_yticks(range(n), map(short, names))
        right = np.trace(matrix) / max(1, matrix.sum())
        ax.set(title=f"Confusion matrix: {right:.2%} right", xlabel="predicted", ylabel="true")
        ax.grid(False)
        ax.spines[:].set_visible(False)


def heat(matrix: Any) -> np.ndarray:
    """The shade of each cell of a confusion matrix, 0 to 1: the share of the true class that stands in the cell, 1 from
    `ALARMING` on.  matrix: (classes × classes) counts, [true][predicted]."""
    samples = np.maximum(1, np.sum(matrix, axis=1, keepdims=True))
    return np.minimum(1, np.asarray(matrix) / samples / ALARMING)


def confused(
    data: Any, predicted: np.ndarray, pairs: Sequence[tuple[int, int, int]], path: Path, columns: int = 8
) -> None:
    """Test images of the most confused pairs, a row each.  pairs: [(true class, predicted class, count)]."""
    rows = max(1, len(pairs))
    with figure(
        path, 6.4, 0.78 * rows + 0.2, nrows=rows, ncols=columns + 1, squeeze=False, width_ratios=[3.2] + [1] * columns
    ) as axes:
        for ax in axes.flat:
            ax.axis("off")
        if not pairs:
            axes[0, 0].text(0, 0.5, "No test sample is confused.")
        for line, (t, p, count) in zip(axes, pairs, strict=False):
            true, taken = short(data.class_names[t]), short(data.class_names[p])
            text = f"{true}\ntaken for {taken}\n{count} time{'s' * (count > 1)}"
            line[0].text(0, 0.5, text, va="center", fontsize=8, color=INK, transform=line[0].transAxes)
            which = np.flatnonzero((data.y_test == t) & (predicted == p))[:columns]
            for ax, row in zip(line[1:], which, strict=False):
                _image(ax, data.X_test[row], data)


def samples(data: Any, path: Path, seed: int = 0, columns: int = 5) -> None:
    """One training image of each class, in a labelled grid."""
    rng = np.random.default_rng(seed)
    n = len(data.class_names)
    rows = -(-n // columns)
    with figure(path, 1.28 * min(n, columns), 1.5 * rows, nrows=rows, ncols=min(n, columns), squeeze=False) as axes:
        for ax in axes.flat:
            ax.axis("off")
        for ax, c, name in zip(axes.flat, range(n), data.class_names, strict=False):
            _image(ax, data.X_train[rng.choice(np.flatnonzero(data.y_train == c))], data)
            ax.set_title(short(name, 16), loc="center", fontweight="normal")


def _image(ax, sample, data):
    """A sample as an image, the brightest black. Bytes have the same scale in all images."""
    limits = {"vmin": 0, "vmax": 255} if sample.dtype == np.uint8 else {}
    ax.imshow(sample.reshape(data.image_shape), **limits)


def _one_color(color):
    from matplotlib.colors import ListedColormap

    return ListedColormap([color])


def importance(worth: Any, path: Path, most: int = 30) -> None:
    """What each column is worth: see `muslin.report.tabular.importance`."""
    rows = worth["columns"][:most][::-1]
    with figure(path, 5.2, 0.22 * len(rows) + 0.8) as ax:
        places = range(len(rows))
        spread = [row["spread"] for row in rows]
        ax.barh(places, [row["fall"] for row in rows], xerr=spread, color=TRAINING, error_kw={"ecolor": GREY, "lw": 1})
        ax.set_yticks(places, [short(row["name"]) for row in rows])
        percent = worth["figure"] == "accuracy"
        ax.set(title=f"{'Accuracy' if percent else 'R²'} lost when a column is permuted")
        if percent:
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.grid(visible=False, axis="y")


def calibration(figures: dict[str, Any], path: Path) -> None:
    """The reliability diagram: see `muslin.training.metrics.calibration`."""
    bins = figures["bins"]
    with figure(path, 3.6, 3.4) as ax:
        left, right = [row["low"] for row in bins], [row["right"] for row in bins]
        widths = [row["high"] - row["low"] for row in bins]
        ax.bar(left, right, widths, align="edge", color=TRAINING, edgecolor="white", label="right")
        ax.plot([0, 1], [0, 1], color=VALIDATION, linestyle="--", label="as sure as right")
        ax.set(title=f"Expected calibration error {figures['ece']:.2%}", xlim=(0, 1), ylim=(0, 1))
        ax.set(xlabel="probability of the class predicted", ylabel="share that is right")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0%}")
        ax.legend()


def residuals(figures: dict[str, Any], path: Path) -> None:
    """Numbers predicted against the true ones, and the errors: see `muslin.report.tabular.residuals`."""
    outputs = figures["outputs"][: len(SERIES)]
    with figure(path, 6.4, 3.0, ncols=2) as axes:
        for k, output in enumerate(outputs):
            said, true = np.array(output["predicted"]), np.array(output["true"])
            look = {"s": 10, "alpha": 0.5, "color": SERIES[k], "label": short(output["name"]), "marker": "oDsx^+*"[k]}
            axes[0].scatter(true, said, **look)
            axes[1].scatter(said, said - true, **look)
        axes[0].axline((axes[0].get_xlim()[0],) * 2, slope=1, color=VALIDATION, linestyle="--", linewidth=1.2)
        axes[1].axhline(0, color=VALIDATION, linestyle="--", linewidth=1.2)
        axes[0].set(title="Predicted and true", xlabel="true", ylabel="predicted")
        axes[1].set(title="Errors", xlabel="predicted", ylabel="predicted − true")
        if len(outputs) > 1:
            axes[0].legend()
