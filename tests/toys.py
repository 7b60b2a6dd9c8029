"""A tiny data set, made when it is needed."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

CLASSES = ("left", "middle", "right")


def bars(n, seed):
    """n noisy images (8 × 8, uint8) of a bar at the left, in the middle or at the right, and their labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = rng.integers(0, 60, (n, 8, 8))
    for c, columns in enumerate((slice(0, 2), slice(3, 5), slice(6, 8))):
        X[y == c, 1:7, columns] += 190
    return X.astype(np.uint8), y


def files(folder):
    """{path: contents} of everything in a folder."""
    return {str(p.relative_to(folder)): p.is_file() and p.read_bytes() for p in sorted(Path(folder).rglob("*"))}


def without_epochs(err):
    """What was written to standard error, but for the line that training writes after each epoch."""
    return re.sub(r"^epoch +\d+  loss .*\n", "", err, flags=re.MULTILINE)


def table(n=120, seed=0):
    """A table of a number, a category, a date, gaps and row numbers; what of these makes the class and the size."""
    rng = np.random.default_rng(seed)
    x, city = rng.standard_normal(n), rng.choice(["Pune", "Delhi"], n)
    made = pd.DataFrame({"id": np.arange(n) + 1, "x": x, "city": city, "day": "2024-01-05", "gap": rng.random(n)})
    made["day"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 400, n), unit="D")).strftime("%Y-%m-%d")
    made.loc[::7, "gap"] = np.nan
    made["kind"] = np.where(x + (city == "Pune") > 0.5, "large", "small")
    made["size"] = 100 + 20 * x + 5 * (city == "Pune")
    return made
