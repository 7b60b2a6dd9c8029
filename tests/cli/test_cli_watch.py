"""`muslin watch` on the command line: what it shows in a terminal and a pipe, and how its server begins and ends."""

import json
import re
import select
import shutil
import signal
import socket
from urllib.request import urlopen

import pytest
from rich.console import Console

from muslin.cli import watch
from muslin.cli.watch_view import picture
from muslin.files import write_json, write_json_lines
from muslin.report import live, terminal
from muslin.report.live import WatchedRun

pytest.importorskip("plotext")
NO_WINDOWS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


@pytest.fixture(autouse=True)
def without_windows(monkeypatch):
    for name in NO_WINDOWS:
        monkeypatch.delenv(name, raising=False)


def drawn(found, width, height=24):
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(picture("a [bold]name", found.status(), found, width, height))
    return capture.get().splitlines()


@pytest.mark.parametrize(("width", "side_by_side"), [(80, True), (50, False)])
def test_curves_fit_the_terminal(finished, width, side_by_side):
    lines = drawn(WatchedRun(finished), width)
    assert max(map(len, lines)) <= width
    assert len(lines) <= 24
    assert [line.strip() for line in lines[:2]] == ["a [bold]name", "finished after 8 epochs"]
    titles = [line for line in lines if "training" in line]
    assert [name in titles[0] for name in ("loss:", "accuracy:")] == [True, side_by_side]
    assert any(re.search("[\u2801-\u28ff]", line) for line in lines)  # braille
    assert lines[-1].startswith("epoch   8  loss ")


def test_a_chart_s_axes_have_the_figures(finished):
    rows = [{"loss": 2.0, "val_loss": 4.0}, {"loss": 1.0, "val_loss": None}, {"loss": 0.0, "val_loss": 3.0}]
    (chart,) = terminal.curves(rows, 40, 13)
    text = re.sub(r"\x1b\[[\d;]*m", "", chart)
    assert re.findall(r"(\d\.\d{3})┤", text) == ["4.000", "3.000", "2.000", "1.000", "0.000"]
    assert text.splitlines()[-1].split() == ["1", "2", "3"]
    assert text.partition("\n")[2].count("x") == 2  # no cross where there is no value
    assert terminal.curves([], 40, 13) == []


def test_a_program_s_own_figures_are_drawn():
    rows = [{"epoch": n, "reward": 1.5 * n, "steps": 10} for n in (1, 2)]
    assert [chart.splitlines()[0].split()[0] for chart in terminal.curves(rows, 40, 13)] == ["reward", "steps"]
    assert terminal.epoch(2, rows[1]) == "epoch   2  reward 3  steps 10"


def test_a_program_s_run_is_followed(tmp_path, muslin):
    write_json(tmp_path / "config.json", {"name": "x", "config": {"a": 1}, "command": ["x"]})
    write_json_lines(
        tmp_path / "history.jsonl", [{"{reward}": 1.5, "seconds": 2}, {"reward": float("nan"), "seconds": 2}]
    )
    write_json(tmp_path / "summary.json", {})
    code, out, err = muslin("watch", tmp_path)
    assert (code, err) == (0, "")
    first, second, end = out.splitlines()
    assert first == "epoch   1  {reward} 1.5  seconds 2"
    assert second.startswith("epoch   2")
    assert end == "finished after 2 steps"


def test_in_a_pipe_it_is_a_line_an_epoch(finished, muslin):
    code, out, err = muslin("watch", finished.path)
    lines = out.splitlines()
    assert (code, err, len(lines)) == (0, "", 9)
    for number, (line, row) in enumerate(zip(lines, finished.history, strict=False), 1):
        assert line.startswith(f"epoch   {number}  loss {row['loss']:.4f}  accuracy {row['accuracy']:.2%}  val_loss")
    assert lines[-1] == "finished after 8 epochs"


def test_json_in_the_terminal(finished, muslin):
    code, out, err = muslin("watch", finished.path, "--terminal", "--json")
    assert code == 0
    assert json.loads(out) == {"path": str(finished.path), "status": "finished after 8 epochs"}
    assert err.count("epoch ") == 8


def test_a_run_that_begins_later_is_followed_from_there(copy, start):
    later = copy.path.with_name("later")
    process = start("watch", later)
    assert line(process) == f"{later} has not begun yet.\n"
    shutil.copytree(copy.path, later)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "finished after 8 epochs"


def line(process):
    """The next line of its output, within a minute."""
    assert select.select([process.stdout], [], [], 60)[0], "no output"
    return process.stdout.readline()


@pytest.fixture
def unfinished(copy):
    (copy.path / "summary.json").unlink()
    return copy


def test_ctrl_c_ends_it_well(unfinished, start):
    process = start("watch", unfinished.path, "--terminal")
    assert line(process).startswith("epoch   1 ")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_the_server_listens_to_this_machine_until_ctrl_c(unfinished, start):
    pytest.importorskip("uvicorn")
    process = start("watch", unfinished.path, "--json")
    told = json.loads(line(process))
    assert told["path"] == str(unfinished.path)
    port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", told["url"])[1])
    with urlopen(f"{told['url']}live", timeout=60) as answer:
        assert json.loads(answer.read())["status"].startswith("epoch 8 of 8")
    with open("/proc/net/tcp") as table:
        listening = [row.split()[1] for row in table if row.split()[3] == "0A"]
    assert [row for row in listening if row.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert (process.stdout.read(), process.stderr.read()) == ("", "")


def test_a_port_in_use(finished, muslin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = muslin("watch", finished.path, "--port", port)
    assert (code, out) == (2, "")
    assert err == f"muslin: Port {port} is in use; choose another --port, or 0 for any that is free.\n"


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_no_run_and_cannot_become_one(what, tmp_path, muslin):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("")
    path = tmp_path / "folder" / "file" if what == "file" else tmp_path / "folder"
    code, out, err = muslin("watch", path)
    assert (code, out) == (2, "")
    assert err == f"muslin: {path} is no run or sweep directory: it has neither config.json nor sweep.json.\n"


@pytest.fixture
def page(monkeypatch):
    """The command without its server: what it did instead of serving and opening."""
    did = []

    class Server:
        def __init__(self, application):
            self.hosts = application.user_middleware[0].kwargs["hosts"]

        def run(self, sockets):
            did.append(("serve", sockets[0].getsockname()[0], self.hosts))
            sockets[0].close()

    monkeypatch.setattr(watch.live, "server", Server)
    monkeypatch.setattr(watch.webbrowser, "open", lambda address: did.append(("open", address)))
    monkeypatch.setattr(watch.webbrowser, "get", lambda: object())
    return did


LOCAL = ("serve", "127.0.0.1", ("localhost", "127.0.0.1", "[::1]"))


def test_others_see_the_page_only_if_asked_and_warned(finished, muslin, page):
    assert muslin("watch", finished.path, "--no-open").err == ""
    assert page == [LOCAL]
    code, out, err = muslin("watch", finished.path, "--host", "0.0.0.0")
    assert (code, err) == (0, "muslin: Everyone who reaches this machine can see the page (--host 0.0.0.0).\n")
    assert "page       http://127.0.0.1:" in out
    assert page[1:] == [("serve", "0.0.0.0", live.names("0.0.0.0"))]


@pytest.mark.parametrize(
    ("windows", "tty", "flags", "done"),
    [
        (True, True, [], ["open", "serve"]),
        (True, True, ["--no-open"], ["serve"]),
        (True, True, ["--terminal"], []),
        (True, False, [], []),
        (False, True, [], []),
        (False, True, ["--no-open"], ["serve"]),
        (False, True, ["--port", "0"], ["serve"]),
        (False, False, ["--open"], ["open", "serve"]),
        (False, False, ["--json"], ["serve"]),
    ],
)
def test_page_or_terminal(windows, tty, flags, done, finished, muslin, page, monkeypatch):
    if windows:
        monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(watch.sys.stdout, "isatty", lambda: tty, raising=False)
    assert muslin("watch", finished.path, *flags).code == 0
    assert [what for what, *_ in page] == done
