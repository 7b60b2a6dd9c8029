"""What each ingredient of a recipe is worth: `fashion-minute` without one of them at a time.

The others stay as they are, so that it is the worth of the ingredient in their company. Two that do the same work are
each worth little.
"""

from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from muslin import recipes
from muslin.evidence import clear, listed
from muslin.report.study_plots import Panel, draw
from muslin.studies.study import Outcomes, Study, series, summarized

#: a shorter warm-up than its own, so that fewer epochs can be asked for
RECIPE = recipes.recipe("fashion-minute") | {"validation": 1 / 6, "warmup": 1}
WHOLE = "whole"
#: ingredient → what stands in its place
WITHOUT: dict[str, dict[str, Any]] = {
    "batch_normalization": {"normalization": "none"},
    "moves": {"shift": 0},
    "mixup": {"mixup": 0},
    "label_smoothing": {"label_smoothing": 0},
    "falling_rate": {"schedule": "constant"},
    "decay": {"weight_decay": 0},
    "small_start": {"initializer_scale": 1},
}


def picture(outcomes: Outcomes, path: Path) -> None:
    loss, accuracy = (series(outcomes, itemgetter(figure)) for figure in ("val_loss", "val_accuracy"))
    draw(
        [Panel("Validation loss", "epoch", loss), Panel("Validation accuracy", "epoch", accuracy, percent=True)],
        path,
    )


def conclude(outcomes: Outcomes) -> str:
    whole, samples = outcomes[WHOLE], outcomes[WHOLE].validation
    scores = {name: outcome.figures["val_accuracy"] for name, outcome in outcomes.items() if name != WHOLE}
    lost = {name: float(np.nanmean(whole.figures["val_accuracy"] - score)) for name, score in scores.items()}
    order = sorted(lost, key=lost.__getitem__, reverse=True)
    worth = listed([f"{_word(name)} {100 * lost[name]:+.2f}" for name in order])
    unclear = [_word(name) for name in order if not clear(whole.figures["val_accuracy"], scores[name], samples)]
    seeds = len(whole.paths)
    doubt = f"; with {seeds} seed{'s' * (seeds > 1)} {listed(unclear)} may be chance" if unclear else ""
    return (
        f"The whole recipe has {whole.mean('val_accuracy'):.2%} on the validation samples. "
        f"Points that go with an ingredient: {worth}{doubt}."
    )


def _word(name: str) -> str:
    return name.removeprefix("without_").replace("_", " ")


STUDY = Study(
    about="What each ingredient of the recipe fashion-minute is worth: without one at a time.",
    base=RECIPE,
    variations={WHOLE: {}, **{f"without_{name}": own for name, own in WITHOUT.items()}},
    figures=summarized("loss", "val_loss", "val_accuracy", "seconds"),
    draw=picture,
    conclude=conclude,
)
