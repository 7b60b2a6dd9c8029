"""muslin predict"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from muslin import runs
from muslin.cli.options import Encoding, Json, RunPath, console, emit
from muslin.datasets import TableFacts, images
from muslin.errors import InputError
from muslin.runs import Run

NO_IMAGES = "An .npz has images where X is (samples, rows, columns), or where image_shape, (rows, columns), is in it."


def command(
    run: RunPath,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="PNG or JPEG files of any size; or a table, if it was one.")
    ],
    out: Annotated[Path | None, typer.Option(help="Of a table: file for its columns and the predictions.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show for each.")] = 3,
    encoding: Encoding = None,
    json: Json = False,
) -> None:
    """Pictures may be dark on light or light on dark. One that has not the size of the data set's images is cut to
    what it shows, scaled and centered. A table needs the columns that the model was trained on, in any order; its
    rows are written to --out, with the prediction and the probabilities behind its own columns."""
    trained = runs.Run(run)
    if (facts := trained.table) is not None:
        _predict_table(trained, facts, files, out, encoding, json)
        return
    if out is not None:
        raise InputError("--out is for tables; of pictures the predictions are printed.")
    _predict_pictures(trained, files, top, json)


def _predict_table(
    run: Run, facts: TableFacts, files: list[Path], out: Path | None, encoding: str | None, json: bool
) -> None:
    from muslin.cli import predict_table

    if len(files) != 1:
        raise InputError(f"{run.path} predicts the rows of one table at a time; {len(files)} files are given.")
    predict_table.predict(run, facts, files[0], out, encoding, json)


def _predict_pictures(run: Run, pictures: list[Path], top: int, json: bool) -> None:
    data = run.dataset()
    network = run.model_for(data)
    if data.image_shape is None:
        raise InputError(f"{run.path} was trained on {data.name}, whose samples are not images. {NO_IMAGES}")
    margin = images.margin_of(data.image_shape, data.name)
    X = np.stack([images.read(picture, data.image_shape, margin) for picture in pictures])
    if data.X_train.dtype != np.uint8:
        low, high = images.limits(data)
        X = low + X / np.float32(255) * (high - low)
    results = []
    for picture, probabilities in zip(pictures, network.predict_proba(X), strict=True):
        order = np.argsort(-probabilities, kind="stable")[:top]
        named = [{"class": data.class_names[c], "probability": float(probabilities[c])} for c in order]
        results.append({"image": str(picture), **named[0], "top": named})
    if json:
        emit({"run": str(run.path), "predictions": results})
        return
    width = max(len(result["image"]) for result in results)
    for result in results:
        classes = "  ".join(f"{row['class']} {row['probability']:.1%}" for row in result["top"])
        console(json).print(f"{result['image']:<{width}}  {classes}")
