"""What the pages and the README say is so: programs run, commands and their options exist, links lead somewhere.

A program that cannot run as it stands is in `LEFT_OUT`, with the reason.
"""

import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from muslin.cli import COMMANDS, FILES, _app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(*languages):
    """(name, text) of each block in one of the languages."""
    return [
        (f"{page.stem}-{i}", text)
        for page in PAGES
        for i, (language, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
        if language in languages
    ]


#: blocks that need what a test has not → why
LEFT_OUT: dict[str, str] = {
    "offline-3": "needs a server that runs, and its key",
    "sweeps-3": "a sweep's program: its argument comes from the sweep",
    "transfer-1": "loads a run of the reader's",
    "your-data-0": "fits arrays of the reader's",
    "your-data-1": "fits arrays of the reader's",
}

PROGRAMS = blocks("python")
LINES = [
    (name, line)
    for name, text in blocks("sh", "console")
    for line in text.replace("\\\n", " ").splitlines()
    if re.match(r"(\$ )?muslin ", line)
]


def run(text, folder):
    (folder / "block.py").write_text(text, encoding="utf-8")
    found = subprocess.run([sys.executable, "block.py"], cwd=folder, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text"), PROGRAMS, ids=[name for name, _ in PROGRAMS])
def test_programs_run(name, text, tmp_path):
    if name in LEFT_OUT:
        pytest.skip(LEFT_OUT[name])
    run(text, tmp_path)


@pytest.mark.parametrize(("name", "text"), PROGRAMS, ids=[name for name, _ in PROGRAMS])
def test_programs_can_be_compiled(name, text):
    compile(text, name, "exec")


def test_what_is_left_out_is_there():
    assert LEFT_OUT.keys() <= dict(PROGRAMS).keys()


@pytest.fixture(scope="module")
def options():
    """{command: its options}"""

    def of(name):
        command = _app([name]).commands[name]
        return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}

    return {name: of(name) | {"--help", "-h"} for name in COMMANDS} | {"": {"--install-completion", "--help"}}


@pytest.mark.parametrize(("name", "line"), LINES, ids=[f"{name}: {line}" for name, line in LINES])
def test_commands_and_options_exist(name, line, options):
    words = shlex.split(line.removeprefix("$ "), comments=True)[1:]
    words = words[: next((i for i, word in enumerate(words) if word in ("&", "&&", "|", ">", ";")), None)]
    command = words[0] if not words[0].startswith("-") else ""
    assert command in options
    if command == "offline":  # what follows is a program of the reader's own
        return
    assert {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)} <= options[command]
    assert FILES.keys() <= COMMANDS.keys()


class Page(HTMLParser):
    """The anchors of a page, and where its links lead."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links = {""}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        self.links += [found[key] for key in ("href", "src") if found.get(key)]


@pytest.mark.slow
def test_the_site_has_no_broken_link(tmp_path):
    pytest.importorskip("material")
    words = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in (tmp_path / "site").rglob("*.html")}
    pages = {path: page for path, page in pages.items() if path.name != "404.html"}
    broken = [
        f"{path.name}: {link}" for path, page in pages.items() for link in page.links if not leads(path, link, pages)
    ]
    assert not broken
    assert len(pages) > 20


def leads(path, link, pages):
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    return target.exists() and (target not in pages or unquote(parts.fragment) in pages[target].anchors)
