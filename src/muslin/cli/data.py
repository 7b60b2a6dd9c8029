"""muslin data"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from muslin import datasets
from muslin.cli.columns import columns_table
from muslin.cli.options import DataDir, Json, console, emit
from muslin.datasets import tables
from muslin.preparation import describe


def command(
    dataset: Annotated[str | None, typer.Argument(help="fashion_mnist, mnist, digits, or a path.")] = None,
    data_dir: DataDir = None,
    json: Json = False,
):
    """Without a name: what there is, and where. Of a table: what each of its columns is. Any other is looked for in
    --data-dir or $MUSLIN_DATA, the cache, the system's package, then downloaded. The contents are checked against
    known SHA-256 checksums whichever way they come."""
    if dataset is None:
        _list(json)
        return
    if datasets.named(dataset) is None and tables.is_table(Path(dataset)):
        _describe(Path(dataset), json)
        return
    data = datasets.load(dataset, data_dir=data_dir)
    counts = np.bincount(data.y_train, minlength=len(data.class_names)).tolist()
    facts = {
        "dataset": data.name,
        "training_samples": len(data.X_train),
        "test_samples": 0 if data.X_test is None else len(data.X_test),
        "inputs": data.X_train.shape[1],
        "image_shape": data.image_shape,
        "classes": dict(zip(data.class_names, counts, strict=True)),
        "checksums": data.checksums,
    }
    if json:
        emit(facts)
        return
    out = console(json)
    shape = " of {}×{} pixels".format(*data.image_shape) if data.image_shape else f" of {facts['inputs']} numbers"
    out.print(f"{data.name}: {facts['training_samples']:,} training and {facts['test_samples']:,} test samples{shape}")
    out.print("classes    " + ", ".join(f"{name} {n:,}" for name, n in facts["classes"].items()))
    for file, checksum in data.checksums.items():
        out.print(f"verified   {file}  {checksum[:16]}…")


def _list(json):
    places = datasets.places()
    if json:
        emit({"datasets": [place._asdict() for place in places]})
        return
    out = console(json)
    for place in places:
        out.print(f"{place.name:<14} {place.about}; {place.where}")
    out.print("Your own: muslin data PATH, of a table (.csv, .parquet, .xlsx, …), an .npz or a folder.")


def _describe(path, json):
    table, comma = tables.read(path)
    columns = [describe(table[name], name, comma) for name in table.columns]
    if json:
        emit({"dataset": str(path), "rows": len(table), "columns": [vars(column) for column in columns]})
        return
    out = console(json)
    out.print(columns_table(columns))
    out.print(f"{path}: {len(table):,} rows; to learn one of its columns: muslin train -d {path} --target COLUMN")
