"""Pictures of any size, as the samples that a network was trained on."""

import warnings
from os import PathLike

import numpy as np

from muslin.datasets.dataset import Dataset
from muslin.errors import InputError
from muslin.files import opened

#: what is read; Pillow knows more, and for some of it starts other programs
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
#: pixels of the largest picture, of a side from which on it is made smaller first
MOST, LARGE = 64_000_000, 1024


def read(path: str | PathLike[str], shape: tuple[int, int], margin: int | None = None) -> np.ndarray:
    """A picture file as one sample: (rows · columns,) uint8, light on dark, like the images of the data sets.

    A picture of exactly that shape is taken as it is; any other is cut to what is drawn on it, scaled to fit the shape
    less the margin (in pixels, on each side; see `margin_of`), and centered by its mass, as MNIST's were (LeCun et al.
    1998). Dark on light is turned into light on dark; transparent is background.

    Raises InputError: no such file, not a picture, too large, or nothing on it.
    """
    from PIL import Image

    with opened(path, "picture") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `MOST` is stricter
        try:
            pixels = _pixels(Image.open(file, formats=FORMATS), path)
        except InputError:
            raise
        except Exception as error:  # of a damaged picture, Pillow lets about anything through
            raise InputError(f"{path} is not a picture that can be read; give a PNG or JPEG file.") from error
    array = opaque(*np.moveaxis(pixels, -1, 0))
    if int(array.max()) - int(array.min()) < 16:
        raise InputError(f"{path} is blank; a picture must show something.")
    if array.shape == tuple(shape):
        return light_on_dark(array).reshape(-1)
    return framed(ink(array), shape, margin_of(shape) if margin is None else margin).reshape(-1)


def _pixels(image, path):
    """(h × w × 2) of gray and alpha, 0 … 255 each."""
    from PIL import ImageOps

    width, height = image.size
    if width * height > MOST:
        raise InputError(f"{path} has {width:,} × {height:,} pixels; at most {MOST:,} in all can be read.")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits: of 65,535, which is 255 · 257
        gray = np.asarray(image, float) / 257
        return np.stack([gray, np.full_like(gray, 255)], axis=-1)
    image = image.convert("RGBA").convert("LA")
    if (factor := max(image.size) // LARGE) > 1:
        image = image.reduce(factor)
    return np.asarray(image, float)


def margin_of(shape: tuple[int, int], name: str | None = None) -> int:
    """The pixels left empty on each side: a seventh, as in MNIST; none in Fashion-MNIST, which fills the frame."""
    return 0 if name == "fashion_mnist" else min(shape) // 7


def limits(data: Dataset) -> tuple[float, float]:
    """What black and white are to a network trained on the data set: 0 and 1 if it has bytes, else its extremes."""
    return (0.0, 1.0) if data.X_train.dtype == np.uint8 else (float(data.X_train.min()), float(data.X_train.max()))


def opaque(gray: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The picture laid on white, or on black if it is itself light: (h × w) of 0 … 255 each, (h × w) uint8 back."""
    paper = 255 if np.average(gray, weights=alpha + 1e-9) < 128 else 0
    return np.round(paper + (gray - paper) * (alpha / 255)).astype(np.uint8)


def background(array: np.ndarray) -> float:
    """What most of the border has."""
    return np.median(np.concatenate([array[0], array[-1], array[1:-1, 0], array[1:-1, -1]]))


def light_on_dark(array: np.ndarray) -> np.ndarray:
    """The picture, or its negative if its background is light: (h × w) uint8, same back."""
    return 255 - array if background(array) > 127 else array


def paper(array: np.ndarray) -> np.ndarray | float:
    """The background at every pixel: (h × w) uint8 → float, or a number where it is even.

    Under uneven light it is a surface a + bx + cy + dx² + exy + fy², by least squares from the border, then from all
    pixels but those that are drawn on.
    """
    even = background(array)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in array.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    clear = np.zeros(array.shape, bool)
    clear[[0, -1]] = clear[:, [0, -1]] = True
    border = clear.copy()
    for _ in range(4):
        seen = terms[clear]
        parts = np.linalg.lstsq(seen.T @ seen, seen.T @ array[clear], rcond=None)[0]  # 6 × 6: quick
        surface = (terms.reshape(-1, 6) @ parts).reshape(array.shape)
        off = np.abs(array - surface)
        clear = off < max(12, 3 * np.median(off[border]))
    unevenness = np.median(np.abs(array[border] - even))
    return surface if unevenness > UNEVEN and np.median(off[border]) < unevenness / 2 else even


#: the median difference of the border from its middle value from which on light is taken to be uneven
UNEVEN = 4


def ink(array: np.ndarray) -> np.ndarray:
    """How far each pixel is from the background, as light on black: (h × w) uint8, same back, its largest value 255."""
    distance = np.abs(array - paper(array))
    return np.round(distance * (255 / distance.max())).astype(np.uint8)


def framed(array: np.ndarray, shape: tuple[int, int], margin: int) -> np.ndarray:
    """What is drawn, cut out, scaled to fit and centered by its mass: (h × w) uint8 → shape."""
    from PIL import Image

    (top, bottom), (left, right) = (np.flatnonzero((array > 63).any(axis=axis))[[0, -1]] for axis in (1, 0))
    cut = array[top : bottom + 1, left : right + 1]
    room = np.array(shape) - 2 * margin
    height, width = np.maximum(1, np.round(np.array(cut.shape) * min(room / cut.shape)).astype(int))
    small = np.asarray(Image.fromarray(cut).resize((int(width), int(height)), Image.Resampling.LANCZOS))
    mass = [np.average(np.arange(n), weights=small.sum(axis=axis) + 1e-9) for n, axis in ((height, 1), (width, 0))]
    corner = [
        int(np.clip(round((full - 1) / 2 - center), 0, full - n))
        for full, center, n in zip(shape, mass, (height, width), strict=True)
    ]
    frame = np.zeros(shape, np.uint8)
    frame[corner[0] : corner[0] + height, corner[1] : corner[1] + width] = small
    return frame
