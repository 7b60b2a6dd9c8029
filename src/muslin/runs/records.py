"""What the files of a run hold. Whatever is read passes through one of these models, which says what is wrong.

The readers return the plain objects: what else is in them stays.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, create_model, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from muslin.errors import InputError, shown, visible
from muslin.files import read_json, read_json_lines
from muslin.runs.settings import Settings


def _setting(value: object) -> object:
    """A setting as JSON has it; whether it can be is checked where it is used."""
    if not all(item is None or isinstance(item, bool | int | float | str) for item in _items(value)):
        raise PydanticCustomError("setting", "a text, a number, true, false, null or a list of these")
    return value


def _items(value: object) -> list:
    return value if isinstance(value, list) else [value]


Count = Annotated[int, Field(ge=0)]
Number = float | None  # what is no finite number is null in JSON
Setting = Annotated[Any, PlainValidator(_setting)]


class Record(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class Blas(Record):
    library: str | None = None
    kernels: str | None = None
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None


class Machine(Record):
    """What the bits of the result depend on, beside the settings."""

    system: str | None = None
    processor: str | None = None
    engine: str | None = None
    blas: Blas | None = None


class Member(Record):
    """A run that an ensemble was made of."""

    run: str
    views: Annotated[int, Field(ge=1)]


class Origin(Record):
    """What config.json has beside the settings."""

    name: str
    data_checksums: dict[str, str]
    versions: dict[str, str | None] = {}
    machine: Machine = Machine()
    members: list[Member] = []


_SETTINGS: dict[str, Any] = dict.fromkeys(Settings.model_fields, (Setting, None))
#: config.json of a run of our own
Config = create_model("Config", __base__=Origin, **_SETTINGS)


class ProgramConfig(Record):
    """config.json of a run of the user's own program: a trial of a sweep, or what our W&B server was told."""

    name: str
    config: dict[str, Any]
    command: list[str] | None = None  # of a trial


class Epoch(Record):
    """A row of history.jsonl."""

    epoch: Annotated[int, Field(ge=1)]
    loss: Number
    learning_rate: Number = None  # lbfgs has none
    seconds: Annotated[float, Field(ge=0)]
    samples_per_second: Annotated[float, Field(gt=0)]
    accuracy: Number = None
    val_loss: Number = None
    val_accuracy: Number = None
    gradient_norms: list[Number] | None = None
    dead_units: list[Number] | None = None


class ClassFigures(Record):
    """What the test says of one class."""

    name: Annotated[str, Field(alias="class")]
    precision: float
    recall: float
    f1: float
    samples: Count


class Tested(Record):
    """What the test says."""

    parameters: Count
    val_loss: Number = None
    val_accuracy: Number = None
    test_loss: Number = None
    test_accuracy: Number = None
    test_ece: Number = None
    confusion_matrix: list[list[Count]] | None = None
    per_class: list[ClassFigures] | None = None
    macro: dict[str, Number] | None = None

    @model_validator(mode="after")
    def _square(self):
        matrix, classes = self.confusion_matrix or [], self.per_class or []
        if {len(row) for row in matrix} - {len(matrix)} or (matrix and len(matrix) < 2):
            raise PydanticCustomError("square", "confusion_matrix must have a row and a column for each class")
        if matrix and classes and len(matrix) != len(classes):
            raise PydanticCustomError("classes", "confusion_matrix and per_class must be of the same classes")
        return self


class Summary(Tested):
    """summary.json of a run of our own."""

    epochs: Count
    best_epoch: Count
    loss: Number
    seconds: float
    samples_per_second: float
    engine: str
    accuracy: Number = None


class EnsembleSummary(Tested):
    """summary.json of an ensemble."""

    temperature: Number = None


def config(path: Path) -> dict:
    """config.json of a run, our own or a program's. Raises InputError where it is missing or damaged."""
    facts = _object(read_json(path), path)
    return checked(facts, ProgramConfig if "config" in facts else Config, path)


def summary(path: Path) -> dict:
    """summary.json of a run of our own."""
    return checked(_object(read_json(path), path), Summary, path)


def ensemble_summary(path: Path) -> dict:
    """summary.json of an ensemble."""
    return checked(_object(read_json(path), path), EnsembleSummary, path)


def program_summary(path: Path) -> dict:
    """summary.json of a program's trial: whatever it says of itself."""
    return _object(read_json(path), path)


def history(path: Path) -> list[dict]:
    """history.jsonl of a run of our own: the rows of epochs 1, 2, …"""
    rows = [checked(_object(row, path), Epoch, path) for row in read_json_lines(path)]
    if [row["epoch"] for row in rows] != list(range(1, len(rows) + 1)):
        raise InputError(f"{visible(str(path))} is damaged: its epochs must be 1, 2, 3, … without a gap.")
    for row in rows:
        if _shape(row) != _shape(rows[0]):
            raise InputError(f"{visible(str(path))} is damaged: epoch {row['epoch']} has other figures than epoch 1.")
    return rows


def _shape(row: dict) -> dict:
    """The figures of ours that a row has, and how many numbers there are of each."""
    return {name: len(_items(row[name])) for name in Epoch.model_fields if name in row}


def program_history(path: Path) -> list[dict]:
    """history.jsonl of a program's trial: whatever it logged."""
    return [_object(row, path) for row in read_json_lines(path)]


def checked(facts: dict, model: type[BaseModel], path: Path) -> dict:
    """The facts, if the model takes them. Raises InputError with one sentence for the first thing that is wrong."""
    try:
        model.model_validate(facts)
    except ValidationError as error:
        raise InputError(
            f"{visible(str(path))} is damaged: {_sentence(error.errors(include_url=False)[0])}."
        ) from error
    return facts


def _object(value: object, path: Path) -> dict:
    if not isinstance(value, dict):
        raise InputError(f"{visible(str(path))} is damaged: it holds {shown(value)} where an object must be.")
    return value


def _sentence(error: ErrorDetails) -> str:
    place = ".".join(visible(str(part))[:100] for part in error["loc"])
    if error["type"] == "missing":
        return f"{place} is missing"
    if not place:
        return error["msg"]
    right = error["msg"].removeprefix("Input should be ")
    return f"{place} is {shown(error['input'])}; it must be {right}"
