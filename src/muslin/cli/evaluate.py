"""muslin evaluate"""

import numpy as np
from rich.table import Table

from muslin import runs
from muslin.cli.options import Json, RunPath, console, emit
from muslin.files import output_folder


def command(run: RunPath, json: Json = False):
    """Test accuracy and loss; precision, recall and F1 of each class; the confusion matrix and the pairs of classes
    that are most often confused, as pictures in the run directory."""
    run = runs.Run(run)
    figures = measure(run, run.dataset(quiet=False))
    if json:
        emit({"run": str(run.path)} | figures)
    else:
        show(console(json), run, figures)


def measure(run, data):
    """Evaluate, draw the pictures, and return the figures with the most confused pairs."""
    from muslin.report import plots

    figures, predicted = runs.evaluate_test(run, data)
    pairs = most_confused(np.array(figures["confusion_matrix"]))
    folder = output_folder(run.path)
    pictures = [folder / "confusion_matrix.png"]
    plots.confusion(figures["confusion_matrix"], data.class_names, pictures[0])
    if data.image_shape:
        pictures.append(folder / "most_confused.png")
        plots.confused(data, predicted, pairs, pictures[1])
    names = data.class_names
    return figures | {
        "most_confused": [{"true": names[t], "predicted": names[p], "count": n} for t, p, n in pairs],
        "pictures": list(map(str, pictures)),
    }


def most_confused(matrix, n=6):
    """The n most frequent confusions: [(true class, predicted class, count)], the most frequent first."""
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:n]
    pairs = [(*map(int, np.unravel_index(at, wrong.shape)), int(wrong.flat[at])) for at in order]
    return [pair for pair in pairs if pair[2]]


def show(out, run, figures):
    table = Table("class", "precision", "recall", "F1", "samples", box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    scores = ("precision", "recall", "f1")
    for row in figures["per_class"]:
        table.add_row(row["class"], *(f"{row[key]:.4f}" for key in scores), str(row["samples"]))
    samples = sum(row["samples"] for row in figures["per_class"])
    table.add_row("macro", *(f"{figures['macro'][key]:.4f}" for key in scores), str(samples), style="bold")
    out.print(table)
    for pair in figures["most_confused"][:3]:
        out.print(f"confused   {pair['count']} × {pair['true']} taken for {pair['predicted']}")
    for picture in figures["pictures"]:
        out.print(f"picture    {picture}")
    out.print(f"test       accuracy {figures['test_accuracy']:.2%}, loss {figures['test_loss']:.4f}", style="bold")
