"""muslin help"""

from typing import Annotated

import typer

from muslin.cli.options import Json, console, emit
from muslin.errors import unknown
from muslin.runs.settings import CHOICES, Settings

TEXTS = {
    "environment": {
        "MUSLIN_CACHE": "folder of the data sets that were fetched",
        "MUSLIN_DATA": "folder in which data sets are looked for first",
        "OPENBLAS_NUM_THREADS": "threads of NumPy's BLAS, by which training is also played",
        "WANDB_MODE": "as W&B has it; muslin offline sets it for the program it runs",
    },
    "exit-codes": {
        "0": "done",
        "1": "muslin gradcheck or muslin doctor found something wrong",
        "2": "the input was wrong: one line says what",
        "130": "interrupted by Ctrl-C; what is done is kept",
    },
    "files": {
        "config.json": "a run's settings and machine",
        "history.jsonl": "the figures of each epoch, a line each",
        "checkpoint.safetensors": "all that training needs to go on, to the bit",
        "model.safetensors": "the trained network",
        "summary.json": "what came of it",
        "sweep.json": "what a sweep searches; study.db holds its trials",
    },
}


def command(
    topic: Annotated[str | None, typer.Argument(help="A command, a setting such as optimizer, or a topic.")] = None,
    json: Json = False,
) -> None:
    """Help on a command, a setting, or one of the topics environment, exit-codes and files; without a topic, what
    topics there are."""
    from muslin.cli import COMMANDS, main

    if topic in COMMANDS and not json:
        main([topic, "--help"])
    rows = _rows(topic, COMMANDS)
    if json:
        emit({"topic": topic, "rows": rows})
        return
    out, width = console(json), max(map(len, rows))
    for name, text in rows.items():
        out.print(f"{name:<{width}}  {text}".rstrip())


def _rows(topic, commands):
    """{name: what it is}"""
    if topic is None:
        topics = {name: ", ".join(rows) for name, rows in TEXTS.items()}
        return commands | topics | {"SETTING": ", ".join(Settings.model_fields)}
    if topic in TEXTS:
        return TEXTS[topic]
    if topic in commands:
        return {topic: commands[topic]}
    name = topic.replace("-", "_")
    if name in Settings.model_fields:
        field = Settings.model_fields[name]
        values = {"values": ", ".join(CHOICES[name])} if name in CHOICES else {}
        return {name: field.description, "default": str(field.default)} | values
    raise unknown("topic", topic, [*commands, *TEXTS, *Settings.model_fields])
