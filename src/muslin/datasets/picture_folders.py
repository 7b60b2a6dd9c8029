"""Pictures in a folder for each class, or such folders in train/ and test/: in gray, and of the first one's size."""

from hashlib import sha256
from pathlib import Path

import numpy as np

from muslin.errors import InputError, shown, visible
from muslin.files import opened

#: ends of the names of pictures; the longest side that is kept
PICTURES, SIDE = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"}, 64
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")


def classes(folder: Path) -> dict[str, list[Path]]:
    """{class: its pictures, by name} of the sub-folders that have any."""
    folders = {sub.name: _pictures(sub) for sub in sorted(folder.iterdir()) if sub.is_dir()}
    return {name: pictures for name, pictures in folders.items() if pictures}


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)


def parts(folder: Path) -> dict[str, dict[str, list[Path]]]:
    """The pictures of each class, {"train": {class: paths}, "test": {class: paths}}: of a folder for each class, or of
    such folders in train/ and test/. Empty where there are none."""
    if pictures := classes(folder):
        return {"train": pictures}
    train, test = (classes(folder / part) if (folder / part).is_dir() else {} for part in ("train", "test"))
    return {"train": train, **({"test": test} if test else {})} if train else {}


def read(folder: Path) -> tuple[list[np.ndarray], np.ndarray, str]:
    """([pictures (N × rows × columns) uint8, class numbers (N,), and those of the test, if there are], names of the
    classes, SHA-256 of all).

    The first picture gives the size, at most 64 on its longer side; others are scaled to it. Raises InputError for a
    picture that cannot be read, or a single class.
    """
    divided, sha = parts(folder), sha256()
    names = list(divided["train"])
    if len(names) < 2:
        raise InputError(f"{folder} has pictures of one class only; each of at least two needs a folder.")
    if others := [name for name in divided.get("test", ()) if name not in names]:
        raise InputError(f"{folder} has the class {shown(others[0])} in test/ and not in train/; it must be in both.")
    size, arrays = None, []
    for of_classes in divided.values():
        rows, labels = [], []
        for name, paths in of_classes.items():
            for path in paths:
                with opened(path, "picture") as file:
                    content = file.read()
                sha.update(path.relative_to(folder).as_posix().encode() + content)
                pixels = _gray(path, content, size)
                size = pixels.shape[::-1]
                rows.append(pixels)
                labels.append(names.index(name))
        arrays += [np.stack(rows), np.array(labels, np.int64)]
    return arrays, np.array(names), sha.hexdigest()


def _gray(path: Path, content: bytes, size: tuple[int, int] | None) -> np.ndarray:
    from io import BytesIO

    from PIL import Image

    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            gray = image.convert("L")
            if size is None:
                factor = min(1.0, SIDE / max(gray.size))
                size = (max(1, round(gray.width * factor)), max(1, round(gray.height * factor)))
            return np.asarray(gray if gray.size == size else gray.resize(size, Image.Resampling.LANCZOS))
    except Exception:  # a damaged picture makes Pillow raise about anything
        raise InputError(f"{visible(str(path))} is no picture that can be read; give PNG or JPEG files.") from None
