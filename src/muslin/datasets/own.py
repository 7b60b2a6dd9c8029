"""A user's own data set: a .npz with X and y, or a folder of the four IDX files. Everything in it is checked.

Samples are pictures where the data say so: in IDX files, where X has three dimensions, where an .npz has image_shape.
"""

import hashlib
from pathlib import Path

import numpy as np

from muslin.datasets import idx, picture_folders, targets
from muslin.datasets.catalogue import FILES
from muslin.datasets.dataset import Dataset, rows
from muslin.datasets.folders import find
from muslin.errors import InputError
from muslin.files import opened

#: names that the members of an .npz may have: (samples, targets), of training and of the test. The second are Keras's
KEYS = (("X", "y"), ("x_train", "y_train")), (("X_test", "y_test"), ("x_test", "y_test"))


def load(path: Path, task: str | None = None) -> Dataset:
    """The data set at a path.  task: "classification" or "regression", of an .npz; None: found from its y.

    Raises InputError, with the file and what is wrong and right, for anything unfit.
    """
    if not path.is_dir():
        return _from_npz(path, task)
    if task:
        raise InputError(f"task is for tables and .npz files; {path} is a folder of pictures.")
    return _from_pictures(path) if picture_folders.parts(path) else _from_idx(path)


def _from_idx(folder: Path) -> Dataset:
    paths = {file: path for file in FILES if (path := find(folder, file) or find(folder, _with_point(file)))}
    if missing := [file for file in FILES if file not in paths]:
        raise InputError(
            f"{folder} lacks {', '.join(missing)}; all four IDX files (.gz or not) are needed, or a folder of pictures "
            "for each class."
        )
    arrays = {file: idx.read(path, FILES[file]) for file, path in paths.items()}
    checksums = {file: idx.digest(array) for file, array in arrays.items()}
    X, y, X_test, y_test = arrays.values()
    return _dataset(folder.resolve().name, str(folder), checksums, X, y, X_test, y_test)


def _with_point(file: str) -> str:
    """train-images.idx3-ubyte, as some unpack it, for train-images-idx3-ubyte."""
    return file.replace("-idx", ".idx")


def _from_pictures(folder: Path) -> Dataset:
    arrays, names, checksum = picture_folders.read(folder)
    X, y, *test = arrays
    X_test, y_test = test or (None, None)
    name = folder.resolve().name
    return _dataset(name, str(folder), {name: checksum}, X, y, X_test, y_test, class_names=names)


def _from_npz(path: Path, task: str | None) -> Dataset:
    members = _members(path)
    train = next((keys for keys in KEYS[0] if {*keys} <= members.keys()), None)
    if train is None:
        raise InputError(
            f"{path} holds {', '.join(members) or 'nothing'}; X and y are needed (or x_train and y_train)."
        )
    test = next((keys for keys in KEYS[1] if keys[0] in members), KEYS[1][KEYS[0].index(train)])
    if len({*test} & members.keys()) == 1:
        raise InputError(f"{path} holds only one of {' and '.join(test)}; it must hold both or neither.")
    with opened(path, "data set") as file:
        checksums = {path.name: hashlib.file_digest(file, "sha256").hexdigest()}
    X, y = (members[key] for key in train)
    X_test, y_test, class_names, shape = (members.get(key) for key in (*test, "class_names", "image_shape"))
    return _dataset(path.stem, str(path), checksums, X, y, X_test, y_test, class_names, shape, task)


def _members(path: Path) -> dict[str, np.ndarray]:
    with opened(path, "data set") as file:
        try:
            with np.load(file) as archive:
                members = {key: archive[key] for key in archive.files}
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
        except Exception:  # a damaged archive makes zipfile, zlib and NumPy raise about anything
            members = {"": None}
    if not all(isinstance(array, np.ndarray) for array in members.values()):  # bytes, of a member that is no array
        raise InputError(f"{path} is damaged or no .npz of plain arrays; np.savez writes a right one.")
    return members


def _dataset(
    name: str,
    where: str,
    checksums: dict[str, str],
    X: np.ndarray,
    y: np.ndarray,
    X_test: np.ndarray | None = None,
    y_test: np.ndarray | None = None,
    class_names: np.ndarray | None = None,
    image_shape: np.ndarray | None = None,
    task: str | None = None,
) -> Dataset:
    """Checks X (N × n or N × rows × columns), y (see `targets.find`) and their test twins, and puts them into a
    Dataset."""
    pictures = X.shape[1:] if X.ndim == 3 else None
    X = _samples(X, "X", where)
    pictures = pictures or _image_shape(image_shape, X, where)
    target = targets.find(y, task, class_names, where)
    _same_length(X, y, "X", where)
    y = target.encode(y, "y", where)
    if X_test is not None and y_test is not None:
        X_test = _samples(X_test, "X_test", where)
        _same_length(X_test, y_test, "X_test", where)
        y_test = target.encode(y_test, "y_test", where)
        _like_training(X, X_test, y_test, target, where)
    return Dataset(
        name=name,
        X_train=X,
        y_train=y,
        X_test=X_test,
        y_test=y_test,
        class_names=target.names,
        image_shape=pictures,
        checksums=checksums,
    )


def _image_shape(image_shape: np.ndarray | None, X: np.ndarray, where: str) -> tuple[int, int] | None:
    """(rows, columns) of pictures that are stored as rows of numbers: only where the file says so."""
    if image_shape is None:
        return None
    sides = image_shape.tolist() if image_shape.dtype.kind in "iu" else []
    if np.shape(sides) != (2,) or min(sides) < 1 or sides[0] * sides[1] != X.shape[1]:
        raise InputError(f"{where}: image_shape must be (rows, columns), with as many pixels as X has columns.")
    return tuple(sides)


def _samples(X: np.ndarray, name: str, where: str) -> np.ndarray:
    """X as (N × n) in C order, uint8 as it is, floats as float32."""
    if X.ndim not in (2, 3):
        raise InputError(
            f"{where}: {name} has shape {X.shape}; it must be (samples, features) or (samples, rows, columns)."
        )
    if not X.size:
        raise InputError(
            f"{where}: {name} is empty, of shape {X.shape}; at least one sample and one feature is needed."
        )
    if X.dtype != np.uint8 and X.dtype.kind != "f":
        raise InputError(f"{where}: {name} holds {X.dtype}; it must hold uint8 (0 to 255) or floating point.")
    X = np.ascontiguousarray(rows(X))
    return X if X.dtype == np.uint8 else _finite(X, name, where)


def _finite(X: np.ndarray, name: str, where: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        X = X.astype(np.float32, copy=False)
        if np.isfinite(X.sum(dtype=np.float64)):  # one pass without a mask: NaN and infinity survive any sum
            return X
    first = int(np.argmin(np.isfinite(X).all(axis=1)))
    raise InputError(
        f"{where}: {name} holds NaN or infinity, first in sample {first}; values must be finite in float32."
    )


def _same_length(X: np.ndarray, y: np.ndarray, name: str, where: str) -> None:
    n = len(y) if y.ndim else 0
    if len(X) != n:
        raise InputError(f"{where}: {name} has {len(X)} samples but {n} labels; it must be one label a sample.")


def _like_training(X: np.ndarray, X_test: np.ndarray, y_test: np.ndarray, target: targets.Targets, where: str) -> None:
    if X_test.shape[1] != X.shape[1] or X_test.dtype != X.dtype:
        wrong, right = (f"{array.shape[1]} features of {array.dtype}" for array in (X_test, X))
        raise InputError(f"{where}: X_test has {wrong}; it must have {right}, as X has.")
    low, high, classes = y_test.min(), y_test.max(), len(target.names)
    if target.kind == "class" and (low < 0 or high >= classes):
        raise InputError(f"{where}: y_test's labels are {low} to {high}; they must be 0 to {classes - 1}, as in y.")
