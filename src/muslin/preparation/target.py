"""The column to predict: as class numbers or as numbers of mean 0 and standard deviation 1, and back."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from muslin.errors import InputError, shown
from muslin.preparation.values import Cells, as_numbers, as_texts, is_truth, of_each

#: whole numbers up to so many different ones are taken for classes; classes up to which a network has an output each
FEW, CLASSES = 20, 1000
TASKS = ("classification", "regression")
#: numbers of which, and of whose differences, mean and deviation can be computed
LARGEST = 1e100
#: a whole number with a point
WHOLE = re.compile(r"^([+-]?\d+)\.0+$")


@dataclass(frozen=True)
class Target:
    """name; task; the classes, as texts, or the mean and the standard deviation of the numbers in training."""

    name: str
    task: str
    classes: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 1.0

    def encode(self, values: Any, where: str, decimal_comma: bool = False) -> np.ndarray:
        """Class numbers (N,), or scaled numbers (N × 1).  Raises InputError for a value that is none of them."""
        values = Cells.of(values)
        texts, missing = as_texts(values)
        if missing.any():
            raise InputError(
                f"{where}: {shown(self.name)} is missing in row {int(missing.argmax()) + 1} below the names."
            )
        if self.task == "regression":
            numbers = as_numbers(values, decimal_comma)
            self._refuse(texts, ~np.isfinite(numbers), where, "a number")
            return ((numbers - self.center) / self.scale)[:, None].astype(np.float32)
        places = {_whole(name): number for number, name in enumerate(self.classes)}
        class_numbers = np.array(of_each(texts, lambda text: places.get(_whole(text), -1)), np.int64)
        names = ", ".join(self.classes[:10]) + ", …" * (len(self.classes) > 10)
        self._refuse(texts, class_numbers < 0, where, f"one of {names}, as in training")
        return class_numbers

    def _refuse(self, texts: np.ndarray, wrong: np.ndarray, where: str, right: str) -> None:
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(
                f"{where}: {shown(self.name)} is {shown(texts[row])} in row {row + 1} below the names; "
                f"it must be {right}."
            )

    def decode(self, numbers: np.ndarray) -> np.ndarray:
        """What the scaled numbers are in the units of the column."""
        return np.asarray(numbers, np.float64) * self.scale + self.center

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        try:
            target = cls(**{**value, "classes": tuple(value["classes"])})
            if target.task not in TASKS or not target.scale > 0:
                raise ValueError
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("The preparation of the table's target is damaged or of another version.") from error
        return target


def find_target(values: Any, name: str, task: str | None, where: str, decimal_comma: bool = False) -> Target:
    """What the column is to be predicted as; task None: found from its values, of which none is missing.

    Raises InputError where it can be neither.
    """
    values = Cells.of(values)
    texts, numbers = as_texts(values)[0], as_numbers(values, decimal_comma)
    task = task or task_of(values, numbers)
    if task == "regression":
        if not np.isfinite(numbers).all():
            row = int((~np.isfinite(numbers)).argmax())
            raise InputError(
                f"{where}: {shown(name)} is {shown(texts[row])} in row {row + 1} below the names, which is no number; "
                "regression needs numbers (--task classification takes them as classes)."
            )
        if np.ptp(numbers) == 0:
            raise InputError(f"{where}: {shown(name)} is always {numbers[0]:g}; there is nothing to learn.")
        if not (np.abs(numbers).max() <= LARGEST and numbers.std() >= 1 / LARGEST):
            raise InputError(
                f"{where}: {shown(name)} has numbers from {numbers.min():g} to {numbers.max():g}; sizes and "
                f"differences from {1 / LARGEST:g} to {LARGEST:g} are right: give it in another unit."
            )
        return Target(name, task, center=float(numbers.mean()), scale=float(numbers.std()))
    classes = ordered({_whole(text) for text in {*texts.tolist()}})
    if len(classes) < 2:
        raise InputError(f"{where}: {shown(name)} is always {shown(classes[0])}; at least two classes are needed.")
    if len(classes) > CLASSES or len(classes) > len(texts) / 2 > FEW:
        right = _no_class(texts, np.isfinite(numbers))
        raise InputError(
            f"{where}: {shown(name)} has {len(classes):,} different values in {len(texts):,} rows, too many for "
            f"classes; {right}"
        )
    return Target(name, task, classes=tuple(classes))


def _whole(text: str) -> str:
    """1 for 1.0: a gap in a column of class numbers makes other programs write them so."""
    return WHOLE.sub(r"\1", text)


def _no_class(texts: np.ndarray, some: np.ndarray) -> str:
    """What to do about a column of so many values."""
    if some.all():
        return "--task regression takes them as numbers."
    if some.mean() < 0.5:
        return "is it the right column?"
    row = int((~some).argmax())
    return f"if it holds numbers, {shown(texts[row])} in row {row + 1} below the names is none."


def task_of(values: Any, numbers: np.ndarray) -> str:
    """Texts, truth values and few whole numbers are classes; other numbers are numbers."""
    if is_truth(values) or not np.isfinite(numbers).all():
        return "classification"
    whole = bool((numbers == np.round(numbers)).all())
    return "classification" if whole and len(np.unique(numbers)) <= FEW else "regression"


def ordered(names: Iterable[str]) -> list[str]:
    """Numbers by their size, else by the alphabet."""
    try:
        return sorted(names, key=float)
    except ValueError:
        return sorted(names)
