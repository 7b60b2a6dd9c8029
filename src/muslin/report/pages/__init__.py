"""Pages: each is one HTML file that needs no network and no server.

templates/*.html extend base.html, or charts.html if they have charts; assets/ are written into the page. Whatever a
template is given is escaped. Its data are in the page as JSON: see macros.html.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from muslin import __version__
from muslin.errors import InputError
from muslin.files import finite, write_text

HERE = Path(__file__).parent
MISSING = "Pages need Jinja and plotly: pip install 'muslin[report]'"


def page(template: str, **context: Any) -> str:
    """The page that the template makes of the context, a text. Raises InputError where Jinja or plotly is missing."""
    return _templates().get_template(template).render(context)


def render(template: str, path: Path, **context: Any) -> None:
    """Write the page, whole or not at all."""
    write_text(path, page(template, **context))


@cache
def _templates():
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise InputError(MISSING) from error
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.policies["json.dumps_function"] = _json
    templates.globals |= {"asset": _asset, "plotly": _plotly, "version": __version__, "nonce": ""}
    return templates


def _json(value, **_):
    """Strict JSON for the filter ``tojson``, which escapes what would mean something to HTML."""
    return json.dumps(finite(value), allow_nan=False, separators=(",", ":"))


def _asset(name):
    """A file of ours, as it is."""
    from markupsafe import Markup

    return Markup((HERE / "assets" / name).read_text(encoding="utf-8"))


def _plotly():
    from markupsafe import Markup

    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise InputError(MISSING) from error
    return Markup(get_plotlyjs())
