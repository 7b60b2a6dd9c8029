"""Docstrings as the site shows them: aligned names and texts become a list, lines of a paragraph one."""

import re

import griffe

#: a name, two spaces or more, and what is said of it
ROW = re.compile(r"^(\S+(?:, \S+)*) {2,}(\S.*)$")
#: a line of a paragraph
PLAIN = re.compile(r"^(?![-*>|#] )\S")


class Lists(griffe.Extension):
    def on_instance(self, *, obj, **_):
        if obj.docstring:
            obj.docstring.value = listed(obj.docstring.value)


def listed(text):
    """``name  what it is`` and its indented lines → a row of a Markdown list.

    >>> print(listed("Fit.\\n\\nrows  train on these\\n      rows only\\nX, y  samples\\n\\nThe end."))
    Fit.
    <BLANKLINE>
    - **rows**: train on these rows only
    - **X, y**: samples
    <BLANKLINE>
    The end.
    """
    lines, inside = [], False
    for line in text.splitlines():
        row = ROW.match(line)
        if row:
            name = row[1] if row[1].startswith("`") else f"**{row[1]}**"
            lines += [""] * bool(lines and lines[-1] and not inside) + [f"- {name}: {row[2]}"]
        elif inside and line.startswith("  "):
            lines[-1] += " " + line.strip()
            continue
        elif PLAIN.match(line) and lines and PLAIN.match(lines[-1]):
            lines[-1] += " " + line
        else:
            lines += [""] * bool(inside and line) + [line]
        inside = bool(row)
    return "\n".join(lines)
