"""muslin data"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from muslin import datasets
from muslin.cli.columns import show_columns
from muslin.cli.options import DataDir, Encoding, Json, console, emit
from muslin.datasets import tables
from muslin.preparation import describe


def command(
    dataset: Annotated[str | None, typer.Argument(help="fashion_mnist, mnist, digits, or a path.")] = None,
    data_dir: DataDir = None,
    encoding: Encoding = None,
    json: Json = False,
) -> None:
    """Without a name: what there is, and where. Of a table: what each of its columns is. Any other is looked for in
    --data-dir or $MUSLIN_DATA, the cache, the system's package, then downloaded. The contents are checked against
    known SHA-256 checksums whichever way they come."""
    if dataset is None:
        _list(json)
        return
    if datasets.named(dataset) is None and tables.is_table(Path(dataset)):
        _describe(Path(dataset), encoding, json)
        return
    data = datasets.load(dataset, data_dir=data_dir)
    facts = {
        "dataset": data.name,
        "training_samples": len(data.X_train),
        "test_samples": 0 if data.X_test is None else len(data.X_test),
        "inputs": data.X_train.shape[1],
        "image_shape": data.image_shape,
        **_targets(data),
        "checksums": data.checksums,
    }
    if json:
        emit(facts)
        return
    out = console(json)
    shape = " of {}×{} pixels".format(*data.image_shape) if data.image_shape else f" of {facts['inputs']} numbers"
    out.print(f"{data.name}: {facts['training_samples']:,} training and {facts['test_samples']:,} test samples{shape}")
    for what in facts.keys() & {"classes", "labels"}:
        out.print(f"{what:<11}" + ", ".join(f"{name} {n:,}" for name, n in facts[what].items()))
    for low, high in facts.get("numbers", ()):
        out.print(f"numbers    {low:.6g} to {high:.6g}")
    for file, checksum in data.checksums.items():
        out.print(f"verified   {file}  {checksum[:16]}…")


def _targets(data):
    """How many samples a class or label has; of numbers, the least and the greatest of each output."""
    y = data.y_train
    if data.target == "numbers":
        return {"numbers": [[float(low), float(high)] for low, high in zip(y.min(axis=0), y.max(axis=0), strict=True)]}
    counts = np.bincount(y, minlength=len(data.class_names)) if data.target == "class" else y.sum(axis=0).astype(int)
    what = "classes" if data.target == "class" else "labels"
    return {what: dict(zip(data.class_names, counts.tolist(), strict=True))}


def _list(json):
    places = datasets.places()
    if json:
        emit({"datasets": [place._asdict() for place in places]})
        return
    out = console(json)
    for place in places:
        out.print(f"{place.name:<14} {place.about}; {place.where}")
    out.print("Your own: muslin data PATH, of a table (.csv, .parquet, .xlsx, …), an .npz or a folder.")


def _describe(path, encoding, json):
    table, marks = tables.read(path, encoding=encoding)
    columns = [describe(table[name], name, marks.decimal_comma) for name in table.columns]
    if json:
        emit({"dataset": str(path), "rows": len(table), "columns": [vars(column) for column in columns]})
        return
    out = console(json)
    show_columns(out, columns)
    out.print(f"{path}: {len(table):,} rows; to learn one of its columns: muslin train -d {path} --target COLUMN")
