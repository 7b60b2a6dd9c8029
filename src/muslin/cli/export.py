"""muslin export"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from muslin import runs
from muslin.cli.options import Json, RunPath, console, emit
from muslin.errors import InputError, lookup


def command(
    run: RunPath,
    to: Annotated[str, typer.Option(help="onnx, or torch.")] = "onnx",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write (default: in the run directory).")
    ] = None,
    json: Json = False,
) -> None:
    """ONNX has the preparation of a table, or the scaling of bytes, inside; its outputs are label and probabilities,
    or number. For PyTorch a state dict (.safetensors) is written, and beside it the Python program that loads it."""
    write = lookup(FORMATS, "format", to)
    trained = runs.Run(run)
    result = {"run": str(trained.path)} | write(trained, output)
    if json:
        emit(result)
        return
    out = console(json)
    for name in ("inputs", "outputs"):
        if name in result:
            out.print(f"{name:<10} {', '.join(result[name])}")
    for file in result["files"]:
        out.print(f"written    {file}")


def _onnx(run: Any, output: Path | None) -> dict[str, Any]:
    from muslin.export import onnx_file

    table, network = run.table, run.model
    looks = network.looks() if run.members else None
    path = _path(output, run.path / "model.onnx", ".onnx")
    if table:
        names, of_table = table.target.classes, {"preparation": table.preparation, "target": table.target}
        model = onnx_file.model(network, names=names, **of_table, looks=looks)
    else:
        data = run.dataset()
        names = data.class_names if network.target == "class" else ()
        model = onnx_file.model(network, names=names, uint8=data.X_train.dtype == np.uint8, looks=looks)
    onnx_file.save(path, model)
    graph = model.graph
    return {
        "files": [str(path)],
        "inputs": [value.name for value in graph.input],
        "outputs": [value.name for value in graph.output],
    }


def _torch(run: Any, output: Path | None) -> dict[str, Any]:
    from muslin.export import torch_file

    path = _path(output, run.path / "model_torch.safetensors", ".safetensors")
    program = path.with_suffix(".py")
    uint8 = not run.table and run.dataset().X_train.dtype == np.uint8
    torch_file.save(path, program, run.network, uint8)
    return {"files": [str(path), str(program)]}


def _path(output: Path | None, default: Path, suffix: str) -> Path:
    if output is not None and output.suffix.lower() != suffix:
        raise InputError(f"--output is {output}; it must end in {suffix}.")
    return output or default


#: format → what writes it
FORMATS = {"onnx": _onnx, "torch": _torch}
