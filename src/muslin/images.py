"""Pictures of any size, as the samples that a network was trained on."""

import numpy as np

from muslin.errors import InputError


def read(path, shape, margin=4):
    """A picture file as one sample: (rows · columns,) uint8, light on dark, like the images of the data sets.

    A picture of exactly that shape is taken as it is; any other is cut to what is drawn on it, scaled to fit the shape
    less the margin (in pixels, on each side), and centered by its mass, as MNIST's were (LeCun et al. 1998). Dark on
    light is turned into light on dark; transparent is background.

    Raises InputError: no such file, not a picture, or nothing on it.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image = image.convert("RGBA")
            pixels = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("L")
    except FileNotFoundError as error:
        raise InputError(f"There is no picture {path}.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} is not a picture that can be read; give a PNG or JPEG file.") from error
    array = light_on_dark(np.asarray(pixels))
    if array.shape != tuple(shape):
        array = _framed(array, shape, margin, path)
    return array.reshape(-1)


def light_on_dark(array):
    """The picture with its background dark. The background is what most of the border has: (h × w) uint8, same back."""
    border = np.concatenate([array[0], array[-1], array[1:-1, 0], array[1:-1, -1]])
    return 255 - array if np.median(border) > 127 else array


def _framed(array, shape, margin, path):
    from PIL import Image

    drawn = array > max(32, int(array.max()) // 4)
    if not drawn.any() or array.max() - array.min() < 16:
        raise InputError(f"{path} is blank; a picture must show something.")
    (top, bottom), (left, right) = (np.flatnonzero(drawn.any(axis=axis))[[0, -1]] for axis in (1, 0))
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
