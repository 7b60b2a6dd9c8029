"""Images in a page: many small ones side by side in one PNG, written into the style sheet."""

import io
from base64 import b64encode
from typing import Any

import numpy as np

COLUMNS = 40


def to_bytes(X: np.ndarray) -> np.ndarray:
    """Samples (N × n) as uint8: floats are scaled, the smallest to 0, the largest to 255."""
    if X.dtype == np.uint8:
        return X
    low, high = float(X.min()), float(X.max())
    return np.round((X - low) * (255 / (high - low or 1))).astype(np.uint8)


def sprite(images: np.ndarray, side: int = 56) -> dict[str, Any]:
    """(N × height × width) or (N × height × width × 3), uint8 → what the macro ``image`` needs to show image number i.

    side: about how many pixels on the screen an image takes
    """
    from PIL import Image

    n, height, width = images.shape[:3]
    rows = -(-n // COLUMNS)
    sheet = np.zeros((rows * COLUMNS, *images.shape[1:]), np.uint8)
    sheet[:n] = images
    sheet = sheet.reshape(rows, COLUMNS, *images.shape[1:]).swapaxes(1, 2)
    file = io.BytesIO()
    Image.fromarray(sheet.reshape(rows * height, COLUMNS * width, *images.shape[3:])).save(file, "PNG", optimize=True)
    zoom = max(1, round(side / max(height, width)))
    url = "data:image/png;base64," + b64encode(file.getvalue()).decode()
    return {"url": url, "columns": COLUMNS, "width": width * zoom, "height": height * zoom}
