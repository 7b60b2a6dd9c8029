"""What the y of a user's arrays is: class numbers, names of classes, labels, or numbers."""

from dataclasses import dataclass

import numpy as np

from muslin.errors import InputError, shown
from muslin.preparation.target import FEW, ordered

#: y has these shapes
SHAPES = "it must be (samples,) or (samples, outputs)"


@dataclass(frozen=True)
class Targets:
    """What is known of y: its kind, "class", "labels" or "numbers"; names of classes or labels; the texts that stand
    for classes, if they do; columns of classes that stand as rows of 0 and a single 1, of labels or numbers."""

    kind: str
    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    columns: int = 0

    def encode(self, y: np.ndarray, name: str, where: str) -> np.ndarray:
        """y as a data set has it: (N,) int64, or (N × K) float32. Raises InputError where it is not of this kind."""
        y, columns = _flat(y), 1 if self.kind == "numbers" else 0
        if (y.shape[1] if y.ndim == 2 else columns) != self.columns:
            raise InputError(f"{where}: {name} has shape {y.shape}; it must have as many columns as y.")
        if self.texts:
            return self._numbered(_texts(y, name, where), name, where)
        if y.dtype.kind not in "buif":
            raise InputError(f"{where}: {name} holds {y.dtype}; it must hold numbers, as y does.")
        if self.kind == "numbers":
            return _finite(y, name, where).reshape(len(y), self.columns)
        if self.columns:
            if not np.isin(y, (0, 1)).all() or (self.kind == "class" and not _one_hot(y)):
                raise InputError(f"{where}: {name} holds other rows than y; they must be of 0 and 1, as there.")
            return y.argmax(axis=1) if self.kind == "class" else y.astype(np.float32)
        if not (y == np.floor(y)).all():
            raise InputError(f"{where}: {name} holds {y.dtype} that are no class numbers; they must be whole, from 0.")
        return y.astype(np.int64)

    def _numbered(self, texts: np.ndarray, name: str, where: str) -> np.ndarray:
        numbers = {text: number for number, text in enumerate(self.texts)}
        places = np.array([numbers.get(text, -1) for text in texts.tolist()], np.int64)
        if (places < 0).any():
            unknown, some = shown(texts[places < 0][0]), ", ".join(self.texts[:10])
            raise InputError(f"{where}: {name} holds {unknown}, which y does not; it must be one of {some}.")
        return places


def find(y: np.ndarray, task: str | None, class_names: np.ndarray | None, where: str) -> Targets:
    """What y is.

    texts, truth values       names of classes
    whole numbers             class numbers 0 … K−1 (floats: of at most 20 classes), or numbers with the task regression
    other numbers             numbers
    rows of 0 and 1           classes, where each row has a single 1; else labels

    Raises InputError where it is nothing of these, or not what the task says.
    """
    if y.ndim not in (1, 2) or not y.size:
        raise InputError(f"{where}: y has shape {y.shape}; {SHAPES}.")
    y = _flat(y)
    if y.dtype.kind not in "buifUS":
        raise InputError(f"{where}: y holds {y.dtype}; it must hold class numbers from 0, texts or numbers.")
    targets = _of_rows(y, task, where) if y.ndim == 2 else _of_values(y, task, where)
    if targets.kind == "numbers":
        if class_names is not None:
            raise InputError(f"{where}: class_names are for classes and labels, and y holds numbers; leave them out.")
        return targets
    return _named(targets, class_names, where)


def _flat(y: np.ndarray) -> np.ndarray:
    """A single column as (N,), as Keras has its labels the other way."""
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _of_rows(y: np.ndarray, task: str | None, where: str) -> Targets:
    if y.dtype.kind in "US":
        raise InputError(f"{where}: y has shape {y.shape} and holds texts; it must be one text a sample, (samples,).")
    names = tuple(map(str, range(y.shape[1])))
    if np.isin(y, (0, 1)).all() and task != "regression":
        return Targets("class" if _one_hot(y) else "labels", names, columns=y.shape[1])
    if task == "classification":
        raise InputError(f"{where}: y has shape {y.shape} and holds numbers; for classes its rows must be of 0 and 1.")
    return Targets("numbers", columns=y.shape[1])


def _one_hot(y: np.ndarray) -> bool:
    return bool((y.sum(axis=1) == 1).all())


def _of_values(y: np.ndarray, task: str | None, where: str) -> Targets:
    if y.dtype.kind in "USb":
        if task == "regression":
            raise InputError(f"{where}: y holds {y.dtype}; regression needs numbers.")
        texts = tuple(ordered({*_texts(y, "y", where).tolist()}))
        if len(texts) == 1:
            raise InputError(f"{where}: y is always {shown(texts[0])}; at least two classes are needed.")
        return Targets("class", texts, texts)
    values = np.unique(y)
    if y.dtype.kind == "f" and task != "classification":
        whole = len(values) <= FEW and np.array_equal(values, np.arange(len(values)))
        task = task or ("classification" if whole else "regression")
    if task == "regression":
        if len(values) == 1:
            raise InputError(f"{where}: y is always {values[0]:g}; there is nothing to learn.")
        return Targets("numbers", columns=1)
    if len(values) == 1:
        raise InputError(f"{where}: y has one class only, {values[0]}; at least two are needed.")
    if not np.array_equal(values, np.arange(len(values))):
        some = ", ".join(map(str, values[:10])) + (", …" if len(values) > 10 else "")
        raise InputError(
            f"{where}: y's labels are {some}; they must be 0 to {len(values) - 1} without gaps, or texts "
            "(of numbers to be predicted: --task regression)."
        )
    return Targets("class", tuple(map(str, range(len(values)))))


def _texts(y: np.ndarray, name: str, where: str) -> np.ndarray:
    """Names of classes as texts (N,)."""
    try:
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in y.tolist()]
    except UnicodeDecodeError:
        raise InputError(f"{where}: {name} holds {y.dtype}; it must hold texts in UTF-8.") from None
    return np.array(texts, object)


def _finite(y: np.ndarray, name: str, where: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = y.astype(np.float32)
    wrong = ~np.isfinite(numbers).reshape(len(y), -1).all(axis=1)
    if wrong.any():
        raise InputError(
            f"{where}: {name} holds NaN or infinity, first in sample {int(wrong.argmax())}; values must be finite in "
            "float32."
        )
    return numbers


def _named(targets: Targets, class_names: np.ndarray | None, where: str) -> Targets:
    """With the names that the file has."""
    if class_names is None:
        return targets
    n = len(targets.names)
    if class_names.shape != (n,):
        what = "labels" if targets.kind == "labels" else "classes"
        raise InputError(f"{where}: class_names has shape {class_names.shape}; it must be {n} names, as y has {what}.")
    try:
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in class_names.tolist()]
    except UnicodeDecodeError:
        names = []
    if class_names.dtype.kind not in "USiu" or not names:
        raise InputError(f"{where}: class_names holds {class_names.dtype}; it must hold texts, in UTF-8.")
    if targets.texts and {*names} != {*targets.texts}:
        some = ", ".join(targets.texts[:10])
        raise InputError(f"{where}: class_names are not the names in y; they must be {some}, in any order.")
    return Targets(targets.kind, tuple(names), tuple(names) if targets.texts else (), targets.columns)
