"""A sweep while it goes on, in a notebook: a bar and the best so far, in one place. Jupyter's and Colab's own HTML."""

import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any


def shown() -> Callable[[Any], None]:
    """What `muslin.sweep` calls after each event: a bar in a notebook, nothing elsewhere."""
    return Bar() if _in_notebook() else lambda scheduler: None


def _in_notebook() -> bool:
    """Whether this process is a notebook's kernel; IPython is not imported for the question."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")


class Bar:
    """Drawn anew when a trial has ended, and twice a second at most."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self.html, self.place = HTML, display(HTML(""), display_id=True)
        self.done, self.drawn = -1, 0.0

    def __call__(self, scheduler: Any) -> None:
        if (scheduler.done != self.done and time.monotonic() - self.drawn > 0.5) or scheduler.done == scheduler.limit:
            self.done, self.drawn = scheduler.done, time.monotonic()
            self.place.update(self.html(picture(scheduler)))


def picture(scheduler: Any) -> str:
    """The bar as HTML. Without a limit it is a text alone."""
    done, limit, best = scheduler.done, scheduler.limit, scheduler.best
    finite = limit < float("inf")
    bar = f'<progress value="{done}" max="{limit}"></progress> ' if finite else ""
    value = f", best {escape(scheduler.metric.name)} {best.value:.6g} (trial {best.number})" if best else ""
    return f"{bar}{done}{f' of {limit}' if finite else ''} trials{value}"
