"""The plots of a run, each one function: data in, PNG file out."""

import numpy as np

from muslin.report.style import INK, RIGHT, TRAINING, VALIDATION, WRONG, figure


def curves(history, path):
    """Loss and accuracy of every epoch, training and validation."""
    epochs = [row["epoch"] for row in history]
    with figure(path, 6.4, 2.6, ncols=2) as axes:
        for ax, key in zip(axes, ("loss", "accuracy"), strict=True):
            ax.plot(epochs, [row[key] for row in history], color=TRAINING, marker=".", label="training")
            if f"val_{key}" in history[0]:
                values = [row[f"val_{key}"] for row in history]
                ax.plot(epochs, values, color=VALIDATION, marker=".", linestyle="--", label="validation")
            ax.set(title=key.capitalize(), xlabel="epoch")
            ax.xaxis.get_major_locator().set_params(integer=True)
        axes[0].legend()
        axes[1].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")


def confusion(matrix, names, path):
    """A confusion matrix [true][predicted]. The shade is that of the mistakes alone, so that they can be read beside
    the diagonal, which has a color of its own; the numbers are counts."""
    matrix = np.asarray(matrix)
    n = len(names)
    wrong = np.ma.masked_array(matrix, np.eye(n, dtype=bool))
    side = max(3.6, 0.46 * n + 1.6)
    with figure(path, side, side) as ax:
        ax.imshow(wrong, cmap=WRONG, vmin=0, vmax=max(1, wrong.max() or 0))
        ax.imshow(np.ma.masked_array(np.ones((n, n)), ~np.eye(n, dtype=bool)), cmap=_one_color(RIGHT), vmin=0, vmax=1)
        for (t, p), count in np.ndenumerate(matrix):
            if count:
                dark = t == p or count > 0.6 * wrong.max()
                ax.text(p, t, f"{count:,}", ha="center", va="center", fontsize=8, color="white" if dark else INK)
        ax.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(n), names)
        right = np.trace(matrix) / max(1, matrix.sum())
        ax.set(title=f"Confusion matrix: {right:.2%} right", xlabel="predicted", ylabel="true")
        ax.grid(False)
        ax.spines[:].set_visible(False)


def confused(data, predicted, pairs, path, columns=8):
    """Test images of the most confused pairs, a row each.  pairs: [(true class, predicted class, count)]."""
    if not pairs or data.image_shape is None:
        pairs = pairs[:0]
    rows = max(1, len(pairs))
    with figure(
        path, 6.4, 0.78 * rows + 0.2, nrows=rows, ncols=columns + 1, squeeze=False, width_ratios=[3.2] + [1] * columns
    ) as axes:
        for ax in axes.flat:
            ax.axis("off")
        if not pairs:
            axes[0, 0].text(0, 0.5, "No test sample is confused." if data.image_shape else "The samples are no images.")
        for line, (t, p, count) in zip(axes, pairs, strict=False):
            text = f"{data.class_names[t]}\ntaken for {data.class_names[p]}\n{count} times"
            line[0].text(0, 0.5, text, va="center", fontsize=8, color=INK, transform=line[0].transAxes)
            which = np.flatnonzero((data.y_test == t) & (predicted == p))[:columns]
            for ax, row in zip(line[1:], which, strict=False):
                ax.imshow(data.X_test[row].reshape(data.image_shape))


def samples(data, path, seed=0, columns=5):
    """One training image of each class, in a labelled grid."""
    rng = np.random.default_rng(seed)
    n = len(data.class_names)
    rows = -(-n // columns)
    with figure(path, 1.28 * min(n, columns), 1.5 * rows, nrows=rows, ncols=min(n, columns), squeeze=False) as axes:
        for ax in axes.flat:
            ax.axis("off")
        for ax, c, name in zip(axes.flat, range(n), data.class_names, strict=False):
            ax.imshow(data.X_train[rng.choice(np.flatnonzero(data.y_train == c))].reshape(data.image_shape))
            ax.set_title(name, loc="center", fontweight="normal")


def _one_color(color):
    from matplotlib.colors import ListedColormap

    return ListedColormap([color])
