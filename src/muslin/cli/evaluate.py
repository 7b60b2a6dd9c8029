"""muslin evaluate"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from muslin import runs
from muslin.cli.options import Encoding, Json, RunPath, console, emit
from muslin.errors import InputError
from muslin.files import output_folder
from muslin.runs import Run


def command(
    run: RunPath,
    table: Annotated[
        Path | None, typer.Argument(metavar="[TABLE]", help="Another table than the test rows of the run's own.")
    ] = None,
    encoding: Encoding = None,
    json: Json = False,
) -> None:
    """Test accuracy and loss; precision, recall and F1 of each class; the confusion matrix and the pairs of classes
    that are most often confused, as pictures in the run directory. Of numbers R² and the errors."""
    trained = runs.Run(run)
    figures = (
        measure(trained, trained.dataset(quiet=False)) if table is None else measure_table(trained, table, encoding)
    )
    if json:
        emit({"run": str(trained.path)} | figures)
    else:
        show(console(json), trained, figures)


def measure_table(run: Run, path: Path, encoding: str | None = None) -> dict[str, Any]:
    """The figures of a run's model on another table; nothing is written."""
    facts = run.table
    if facts is None:
        raise InputError(f"{run.path} was trained on {run.settings.dataset}, which is no table; leave {path} out.")
    X, y = facts.samples_and_targets(path, encoding)
    figures, _ = runs.figures_on(run.model, X, y, facts.target.classes, facts)
    return _with_pairs(figures, facts.target.classes)


def measure(run: Run, data: Any) -> dict[str, Any]:
    """Evaluate, draw the pictures, and return the figures with the most confused pairs."""
    from muslin.report import plots

    figures, predicted = runs.evaluate_test(run, data)
    if "confusion_matrix" not in figures:
        return figures
    figures, names, folder = _with_pairs(figures, data.class_names), data.class_names, output_folder(run.path)
    pictures = [folder / "confusion_matrix.png"]
    plots.confusion(figures["confusion_matrix"], names, pictures[0])
    if data.image_shape:
        pictures.append(folder / "most_confused.png")
        plots.confused(data, predicted, most_confused(np.array(figures["confusion_matrix"])), pictures[1])
    return figures | {"pictures": list(map(str, pictures))}


def _with_pairs(figures, names):
    if "confusion_matrix" not in figures:
        return figures
    pairs = most_confused(np.array(figures["confusion_matrix"]))
    return figures | {"most_confused": [{"true": names[t], "predicted": names[p], "count": n} for t, p, n in pairs]}


def most_confused(matrix: np.ndarray, n: int = 6) -> list[tuple[int, int, int]]:
    """The n most frequent confusions: [(true class, predicted class, count)], the most frequent first."""
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:n]
    pairs = [(int(at) // len(wrong), int(at) % len(wrong), int(wrong.flat[at])) for at in order]
    return [pair for pair in pairs if pair[2]]


def show(out: Console, run: Run, figures: dict[str, Any]) -> None:
    if "per_class" in figures:
        _show_classes(out, figures)
    for pair in figures.get("most_confused", ())[:3]:
        out.print(f"confused   {pair['count']} × {pair['true']} taken for {pair['predicted']}")
    for picture in figures.get("pictures", ()):
        out.print(f"picture    {picture}")
    if "test_r2" in figures:
        out.print(
            f"errors     {figures['test_mae']:.6g} in the mean, {figures['test_rmse']:.6g} in the root mean square"
        )
        out.print(f"test       R² {figures['test_r2']:.4f}, loss {figures['test_loss']:.4f}", style="bold")
    else:
        ece = f", calibration error {figures['test_ece']:.4f}" if "test_ece" in figures else ""
        line = f"test       accuracy {figures['test_accuracy']:.2%}, loss {figures['test_loss']:.4f}{ece}"
        out.print(line, style="bold")


def _show_classes(out, figures):
    table = Table("class", "precision", "recall", "F1", "samples", box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    scores = ("precision", "recall", "f1")
    for row in figures["per_class"]:
        table.add_row(row["class"], *(f"{row[key]:.4f}" for key in scores), str(row["samples"]))
    if "macro" in figures:
        samples = sum(row["samples"] for row in figures["per_class"])
        table.add_row("macro", *(f"{figures['macro'][key]:.4f}" for key in scores), str(samples), style="bold")
    out.print(table)
