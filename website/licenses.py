"""The page of licences: each package that muslin may bring, as the environment here has it.

``python website/licenses.py`` prints it. Read from the packages' own metadata; nothing is asked of the network.
"""

import re
from importlib.metadata import PackageNotFoundError, metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

INTRODUCTION = """# Licences

muslin is under the MIT licence. It contains no code of others; what `pip` installs beside it is listed here, with the
licence that each package states. The core's packages come with `pip install muslin`,
the others with the extra named."""


def page():
    """All of the page, Markdown."""
    rows = [f"| {name} | {version} | {text} | {brought} |" for name, version, text, brought in packages()]
    return "\n".join([INTRODUCTION, "", "| package | version | licence | comes with |", "|---|---|---|---|", *rows, ""])


def packages():
    """(name, version, licence, what brings it) of each package, the core's first."""
    core = closure("muslin", set())
    brought = dict.fromkeys(sorted(core), "the core")
    for extra in metadata("muslin").get_all("Provides-Extra"):
        if extra == "all":
            continue
        for name in sorted(closure("muslin", {extra}) - core):
            brought[name] = f"{brought[name]}, {extra}" if name in brought else extra
    return [(name, metadata(name)["Version"], licence(metadata(name)), by) for name, by in brought.items()]


def closure(name, extras):
    """The names of all packages that a package needs here, with those of its extras, without itself."""
    needed, open_ends = set(), [(name, frozenset(extras))]
    seen = set(open_ends)
    while open_ends:
        package, wanted = open_ends.pop()
        for text in metadata(package).get_all("Requires-Dist") or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in wanted or {""}):
                continue
            end = (canonicalize_name(requirement.name), frozenset(requirement.extras))
            if end not in seen and installed(end[0]):
                seen.add(end)
                open_ends.append(end)
                needed.add(end[0])
    return needed - {name}


def installed(name):
    try:
        metadata(name)
    except PackageNotFoundError:
        return False
    return True


def licence(about):
    """What a package states: an SPDX expression, a classifier, or the first line of its text."""
    classifiers = [
        text.split(" :: ")[-1] for text in about.get_all("Classifier") or [] if text.startswith("License ::")
    ]
    stated = about.get("License-Expression") or ", ".join(classifiers) or (about.get("License") or "").strip()
    return re.sub(r"\s+", " ", stated.splitlines()[0].replace("|", "/")) if stated else "not stated"


if __name__ == "__main__":
    print(page())
