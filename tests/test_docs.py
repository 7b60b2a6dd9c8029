"""What the pages and the README say is so: programs and commands run, links lead somewhere.

`make test` runs the programs and commands of the first page, and looks whether every command and option exists;
`make test-all` runs all of them, on small data. What cannot run is in `LEFT_OUT` or `NOT_HERE`, with the reason.
``python tests/test_docs.py`` counts them.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from muslin.cli import COMMANDS, FILES, _app, main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(*languages):
    """{page-number: text} of each block in one of the languages."""
    return {
        f"{page.stem}-{i}": text
        for page in PAGES
        for i, (language, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
        if language in languages
    }


def lines(text):
    """The commands of a block, without their comments."""
    found = (line.removeprefix("$ ").partition("  #")[0].strip() for line in text.replace("\\\n", " ").splitlines())
    return [line for line in found if line and not line.startswith("#")]


PROGRAMS = blocks("python")
#: (page, its command lines in their order)
COMMAND_LINES = {
    page: [line for _, text in found for line in lines(text)]
    for page, found in groupby(blocks("sh", "console").items(), lambda block: block[0].rpartition("-")[0])
}

#: programs that need what a test has not → why
LEFT_OUT: dict[str, str] = {"offline-3": "needs a server that runs, and its key"}

#: programs that go on from what the reader has → what that is
BEFORE = {
    "sweeps-4": "import sys; sys.argv += ['--x', '0.5']",
    "transfer-2": "import numpy as np; X, y = np.random.rand(40, 784), np.arange(40) % 10",
    "your-data-1": "import numpy as np; X = X_val = X_new = np.random.rand(200, 8); y = y_val = w = X.sum(axis=1)",
    "your-data-2": "import numpy as np; X, labels = np.random.rand(200, 8), np.arange(200) % 2",
}

#: commands that are not run → why
NOT_HERE = {
    r"pip install|python3 -m venv|apt-get": "changes the environment: noxfile.py does that",
    r"make ": "make run and make test are what is run before every change",
    r"export |scp |wandb agent --count": "on machines of the reader's",
    r"optuna-dashboard": "a program of others, which stays",
    r".*--storage postgresql": "needs a PostgreSQL server",
    r".*--cluster (tcp|tls|slurm|k8s)|dask ": "needs other machines: tests/sweeps/test_sweep_cluster_kills.py",
    r"muslin --install-completion": "writes into one's shell: tests/cli/test_cli_doctor.py",
    r"python training.py": "all of the course: tests/course/test_course_training.py",
}

#: what makes a command small: (which, what is put behind it)
SMALL = [
    (r"muslin train --recipe", " -d digits --epochs 14 --hidden-size 32"),
    (r"muslin train(?!.*(-d |--dataset|--resume|--recipe))", " -d digits"),
    (r"muslin train(?!.*(--resume|--recipe))", " --epochs 4"),
    (r"muslin samples", " -d digits"),
    (r"muslin transfer", " --to digits --fraction 0.2 --seeds 2 --min-steps 20"),
    (r"muslin study \w", " -d digits --epochs 1 --seeds 1"),
    (r"muslin bench", " --rounds 1"),
    (r"muslin sweep .*--count", " --count 2"),
    (r"python train.py (?!--help)", " -d digits -e 2"),
    (r"muslin offline python train.py", " -d digits -e 2"),
]

#: commands that stay until Ctrl-C
SERVERS = r"muslin (serve|watch)"

#: what the reader of a page has done before
FIRST = {
    "your-data": ["rm -r runs/NAME", "muslin train -d people.csv --target outcome --name NAME"],
    "accuracy": ["muslin train --recipe fashion-minute --seed 2 --name fashion-minute-2"],
}

#: a page's block that is a file → its name
NAMED = {"index-3": "people.yaml"}


def why_not(line):
    return next((why for pattern, why in NOT_HERE.items() if re.match(pattern, line)), None)


def small(line):
    return line + "".join(more for pattern, more in SMALL if re.match(pattern, line))


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_run(name, prepared, tmp_path):
    if name in LEFT_OUT:
        pytest.skip(LEFT_OUT[name])
    folder = shutil.copytree(prepared, tmp_path / "here")
    (folder / "block.py").write_text("\n".join([BEFORE.get(name, ""), PROGRAMS[name]]), encoding="utf-8")
    found = subprocess.run([sys.executable, "block.py"], cwd=folder, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_can_be_compiled(name):
    compile(PROGRAMS[name], name, "exec")


def test_what_is_left_out_is_there():
    assert {*LEFT_OUT, *BEFORE} <= PROGRAMS.keys()
    assert NAMED.keys() <= blocks("yaml").keys()
    every = [line for found in COMMAND_LINES.values() for line in found]
    assert all(any(re.match(pattern, line) for line in every) for pattern in [*NOT_HERE, SERVERS, *dict(SMALL)])


def test_every_command_is_on_its_page():
    assert COMMANDS.keys() <= {line.split()[1] for line in COMMAND_LINES["commands"]}


def test_the_first_page_begins_as_it_says(tmp_path, monkeypatch, capsys):
    """Its program and its first commands; the rest of it is slow."""
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "people.csv", 100)
    exec(PROGRAMS["index-1"].replace("epochs=10", "epochs=3"), {})
    assert re.search(r"accuracy \d\d\.\d%", capsys.readouterr().out)
    for line in COMMAND_LINES["index"]:
        if line.startswith(("muslin train", "muslin data")):
            with pytest.raises(SystemExit) as end:
                main(shlex.split(f"{line} --epochs 2" if "train" in line else line)[1:])
            assert end.value.code == 0, line
    assert "accuracy" in capsys.readouterr().out


def table(path, rows):
    rng = np.random.default_rng(rows)
    ages, towns = rng.integers(18, 80, rows), rng.choice(["Oslo", "Rome", ""], rows)
    found = [f"{age},{town},{'yes' if age > 45 else 'no'}" for age, town in zip(ages, towns, strict=True)]
    path.write_text("\n".join(["age,town,outcome", *found, ""]), encoding="utf-8")


def muslin(line, folder):
    subprocess.run([sys.executable, "-m", *shlex.split(line)], cwd=folder, check=True, capture_output=True, timeout=300)


#: a program that logs to W&B, and its sweep
LOGS = """import wandb

with wandb.init() as run:
    run.log({"loss": (run.config.x - 0.3) ** 2})
"""
LOGGED = {
    "program": "logs.py",
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"x": {"values": [0.1, 0.4]}},
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with what the pages' reader has: tables, a picture, sweep files, programs, runs."""
    folder = tmp_path_factory.mktemp("reader")
    for name, rows in {"people.csv": 120, "other.csv": 30, "new.csv": 10}.items():
        table(folder / name, rows)
    Image.fromarray(np.uint8(np.tri(28) * 255)).save(folder / "shoe.jpg")
    shutil.copy(ROOT / "train.py", folder)
    (folder / "eve.py").write_text(PROGRAMS["extending-0"], encoding="utf-8")
    (folder / "squares.py").write_text(PROGRAMS["sweeps-4"], encoding="utf-8")
    (folder / "logs.py").write_text(LOGS, encoding="utf-8")
    (folder / "sweep.yaml").write_text(yaml.safe_dump(LOGGED), encoding="utf-8")
    (folder / "sweeps").mkdir()
    for file in (ROOT / "sweeps").glob("*.yaml"):
        (folder / "sweeps" / file.name).write_text(yaml.safe_dump(smaller(file)), encoding="utf-8")
    for name in ("NAME", "A", "B"):
        muslin(f"muslin train -d digits --epochs 4 --hidden-size 16 --name {name} --evaluate", folder)
    return folder


def smaller(file):
    """A sweep file for two epochs of digits, three trials."""
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    settings["parameters"] |= {"dataset": {"value": "digits"}, "epochs": {"value": 2}}
    settings["parameters"].pop("max_epochs", None)
    settings.pop("early_terminate", None)
    return settings | {"run_cap": 3}


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, found in COMMAND_LINES.items() if not all(map(why_not, found))])
def test_commands_run(page, prepared, tmp_path):
    """One after the other, as the reader types them."""
    folder, said = shutil.copytree(prepared, tmp_path / "here"), ""
    for block, name in NAMED.items():
        (folder / name).write_text(blocks("yaml")[block], encoding="utf-8")
    for line in [*FIRST.get(page, []), *COMMAND_LINES[page]]:
        if why_not(line):
            continue
        words = shlex.split(re.sub(r"\bID\b", "".join(re.findall(r"with ID: (\w+)", said)[-1:]), small(line)))
        code, said = (stayed if re.match(SERVERS, line) else ran)(words, folder)
        assert code == 0, f"{line}\n{said}"


PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
ALONE = os.environ | {"PATH": PATH, "BROWSER": "true", "WANDB_MODE": "offline", "COLUMNS": "100"}


def ran(words, folder):
    alone = {key: value for key, value in ALONE.items() if key != "WANDB_MODE" or words[1] != "offline"}
    done = subprocess.run(words, cwd=folder, env=alone, capture_output=True, text=True, timeout=400)
    return done.returncode, done.stdout + done.stderr


def stayed(words, folder):
    """A server: until it says where it is, then Ctrl-C."""
    log = folder / "server.txt"
    with log.open("w") as out:
        process = subprocess.Popen(words, cwd=folder, env=ALONE, stdout=out, stderr=out)
    try:
        end = time.monotonic() + 60
        while "http://" not in log.read_text() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        return process.wait(30), log.read_text()
    finally:
        process.kill()


@pytest.fixture(scope="module")
def options():
    """{command: its options}"""

    def of(name):
        command = _app([name]).commands[name]
        return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}

    return {name: of(name) | {"--help", "-h"} for name in COMMANDS} | {"": {"--install-completion", "--help"}}


LINES = [(page, line) for page, found in COMMAND_LINES.items() for line in found if line.startswith("muslin ")]
#: those within sentences, too
LINES += [
    (page.stem, " ".join(line.split()))
    for page in PAGES
    for line in sorted(set(re.findall(r"`(muslin\s[^`]+)`", BLOCK.sub("", page.read_text(encoding="utf-8")))))
]


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}: {line}" for page, line in LINES])
def test_commands_and_options_exist(page, line, options):
    words = shlex.split(line, comments=True)[1:]
    words = words[: next((i for i, word in enumerate(words) if word in ("&", "&&", "|", ">", ";")), None)]
    command = words[0] if not words[0].startswith("-") else ""
    assert command in options
    if command == "offline":  # what follows is a program of the reader's own
        return
    assert {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)} <= options[command]
    assert FILES.keys() <= COMMANDS.keys()


#: what a page loads by itself
LOADED = {"src": ("script", "img", "iframe"), "href": ("link",)}


def test_licences_of_what_is_needed(monkeypatch):
    """The table has whatever pyproject.toml names, and says of each what it states."""
    monkeypatch.syspath_prepend(ROOT / "website")
    import licenses

    rows = {name: (licence, by) for name, _, licence, by in licenses.packages()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {canonicalize_name(Requirement(text).name) for text in project["dependencies"]} <= rows.keys()
    assert rows["numpy"][1] == "the core"
    assert "BSD" in rows["numpy"][0]
    assert rows["optuna"][1] == "cluster, server, sweep"
    assert "MIT" in rows["optuna"][0]


class Page(HTMLParser):
    """The anchors of a page, and where its links lead."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads = {""}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        self.links += [found[key] for key in ("href", "src") if found.get(key)]
        self.loads += [found[key] for key, tags in LOADED.items() if tag in tags and found.get(key)]


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
    assert not [load for page in pages.values() for load in page.loads if urlsplit(load).netloc]


def leads(path, link, pages):
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    return target.exists() and (target not in pages or unquote(parts.fragment) in pages[target].anchors)


def count():
    """Run / all, of programs and of command lines, and why the rest is not."""
    every = [line for found in COMMAND_LINES.values() for line in found]
    idle = [line for line in every if why_not(line)]
    print(f"programs {len(PROGRAMS) - len(LEFT_OUT)} / {len(PROGRAMS)}")
    print(f"commands {len(every) - len(idle)} / {len(every)}")
    for name, why in LEFT_OUT.items():
        print(f"{name:45} {why}")
    for line in idle:
        print(f"{line[:44]:45} {why_not(line)}")


if __name__ == "__main__":
    count()
