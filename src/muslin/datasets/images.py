"""Pictures of any size, as the samples that a network was trained on."""

import numpy as np

from muslin.errors import InputError


def read(path, shape, margin=None):
    """A picture file as one sample: (rows · columns,) uint8, light on dark, like the images of the data sets.

    A picture of exactly that shape is taken as it is; any other is cut to what is drawn on it, scaled to fit the shape
    less the margin (in pixels, on each side; see `margin_of`), and centered by its mass, as MNIST's were (LeCun et al.
    1998). Dark on light is turned into light on dark; transparent is background.

    Raises InputError: no such file, not a picture, or nothing on it.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGBA").convert("LA"), float)
    except FileNotFoundError as error:
        raise InputError(f"There is no picture {path}.") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} is not a picture that can be read; give a PNG or JPEG file.") from error
    array = opaque(*np.moveaxis(pixels, -1, 0))
    if int(array.max()) - int(array.min()) < 16:
        raise InputError(f"{path} is blank; a picture must show something.")
    if array.shape == tuple(shape):
        return light_on_dark(array).reshape(-1)
    return framed(ink(array), shape, margin_of(shape) if margin is None else margin).reshape(-1)


def margin_of(shape, name=None):
    """The pixels left empty on each side: a seventh, as in MNIST; none in Fashion-MNIST, which fills the frame."""
    return 0 if name == "fashion_mnist" else min(shape) // 7


def limits(data):
    """What black and white are to a network trained on the data set: 0 and 1 if it has bytes, else its extremes."""
    return (0.0, 1.0) if data.X_train.dtype == np.uint8 else (float(data.X_train.min()), float(data.X_train.max()))


def opaque(gray, alpha):
    """The picture laid on white, or on black if it is itself light: (h × w) of 0 … 255 each, (h × w) uint8 back."""
    paper = 255 if np.average(gray, weights=alpha + 1e-9) < 128 else 0
    return np.round(paper + (gray - paper) * (alpha / 255)).astype(np.uint8)


def background(array):
    """What most of the border has."""
    return np.median(np.concatenate([array[0], array[-1], array[1:-1, 0], array[1:-1, -1]]))


def light_on_dark(array):
    """The picture, or its negative if its background is light: (h × w) uint8, same back."""
    return 255 - array if background(array) > 127 else array


def ink(array):
    """How far each pixel is from the background, as light on black: (h × w) uint8, same back, its largest value 255."""
    distance = np.abs(array - background(array))
    return np.round(distance * (255 / distance.max())).astype(np.uint8)


def framed(array, shape, margin):
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
