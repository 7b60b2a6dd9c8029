"""`muslin watch`: the server, and its pages in a browser while files change."""

import json
import os
import platform
import shutil
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Error

from muslin.cli.watch import _watched as watching
from muslin.errors import InputError
from muslin.files import read_json_lines, write_json_lines
from muslin.report import live
from muslin.report.live import Live, WatchedRun, duration, fingerprint

pytest.importorskip("uvicorn")
PATIENCE = 30_000  # milliseconds


@contextmanager
def served(path, watched=None):
    """The address of a server in a thread of this process."""
    listening, address = live.listen("127.0.0.1", 0)
    server = live.server(live.application(path, watched or watching(None)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def get(address, host=None):
    with urlopen(Request(address, headers={"Host": host} if host else {}), timeout=20) as answer:
        return answer.read().decode()


def refused(address, host=None):
    with pytest.raises(HTTPError) as caught:
        get(address, host)
    caught.value.close()
    return caught.value.code


@pytest.fixture
def training(copy):
    """The run as it was after its third epoch; ``later(n)``: as it was after the n-th, ``end()``: as it is."""
    rows = read_json_lines(copy.path / "history.jsonl")
    (copy.path / "summary.json").rename(copy.path / "summary.later")

    class Training:
        path, run = copy.path, copy

        def later(self, n):
            write_json_lines(copy.path / "history.jsonl", rows[:n])

        def end(self):
            self.later(8)
            (copy.path / "summary.later").rename(copy.path / "summary.json")

    assert len(rows) == 8
    Training().later(3)
    return Training()


class Stub:
    """Something to watch whose page counts how often it was made."""

    over = False

    def __init__(self):
        self.made = 0

    def page(self, live):
        self.made += 1
        return f"<main>{self.made}</main>"

    def status(self):
        return "well"


# The server


def test_a_page_is_made_once_for_a_state_of_the_directory(training):
    stub = Stub()
    with served(training.path, lambda path: stub) as address:
        first = json.loads(get(f"{address}live?version=none"))
        assert first == {"version": fingerprint(training.path), "status": "well", "page": "<main>1"}
        again = json.loads(get(f"{address}live?version={first['version']}"))
        assert again == {"version": first["version"], "status": "well"}
        assert get(address) == "<main>1</main>"
        training.later(4)
        assert json.loads(get(f"{address}live?version={first['version']}"))["page"] == "<main>2"
    assert stub.made == 2


def test_only_this_machine_s_names_are_answered(training):
    with served(training.path, lambda path: Stub()) as address:
        port = address.rstrip("/").rpartition(":")[2]
        for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
            assert "<main>" in get(address, host)
        for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}"):
            assert refused(address, host) == 400
            assert refused(f"{address}live", host) == 400


@pytest.mark.parametrize(
    ("host", "asked", "answered"),
    [
        ("127.0.0.1", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:80"], True),
        ("127.0.0.1", ["", "10.0.0.7", "evil.example", "lab.example", "localhost.evil.example"], False),
        ("lab.example", ["localhost", "lab.example:80", "10.0.0.7", "[fe80::1]:80"], True),
        ("0.0.0.0", [platform.node(), f"{platform.node()}.local:80", "10.0.0.7"], True),
        ("0.0.0.0", ["", "evil.example", "lab.example.evil.example", "10.0.0.7.evil.example"], False),
    ],
)
def test_a_request_is_for_a_name_that_the_server_was_given(host, asked, answered):
    for header in asked:
        assert live.allowed(header, live.names(host)) == answered, header


def test_the_headers_keep_the_page_to_itself(training):
    with served(training.path, lambda path: Stub()) as address:
        for path in ("", "live", "nothing"):
            try:
                answer = urlopen(address + path, timeout=20)
            except HTTPError as error:
                answer = error
            with answer:
                assert answer.headers["content-security-policy"].startswith("default-src 'none';")
                assert answer.headers["x-content-type-options"] == "nosniff"


def test_connections_that_say_nothing_hold_up_no_one_and_are_closed(training, monkeypatch):
    monkeypatch.setattr(live, "HASTE", 1.0)
    with served(training.path, lambda path: Stub()) as address, ExitStack() as stack:
        port = int(address.rstrip("/").rpartition(":")[2])
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(200)]
        for connection in silent[::2]:
            connection.sendall(b"GET / HTTP/1.1\r\nX: ")  # and no more
        started = time.monotonic()
        assert "<main>" in get(address)
        assert time.monotonic() - started < 1
        for connection in silent:
            connection.settimeout(10)
            assert connection.recv(1) == b""


def test_pages_below_are_those_of_runs_in_the_directory_alone(training):
    stubs = []
    with served(training.path.parent, lambda path: stubs.append(path) or Stub()) as address:
        assert get(f"{address}copy/report.html") == "<main>1</main>"
        assert json.loads(get(f"{address}copy/live"))["status"] == "well"
        for path in ("other/report.html", "../report.html", "%2e%2e/report.html", "..%2fruns/live", "copy/config.json"):
            assert refused(address + path) == 404
    assert set(stubs) == {training.path}


def test_a_page_that_is_dear_is_not_made_at_every_change(training):
    class Dear(Stub):
        def page(self, live):
            time.sleep(0.2)
            return super().page(live)

    stub = Dear()
    page = Live(training.path, lambda path: stub)
    before = page.current()
    training.later(4)
    assert page.current() == before
    time.sleep(0.7)
    assert page.current() == (fingerprint(training.path), "<main>2</main>")


@pytest.mark.parametrize(
    "name", ["config.json", "history.jsonl", "summary.json", "study.db", "study.db-wal", "a/history.jsonl"]
)
def test_fingerprint_follows_what_the_page_is_made_of(name, tmp_path):
    (tmp_path / "a").mkdir()
    seen = {fingerprint(tmp_path)}
    for content in ("one", "three"):
        (tmp_path / name).write_text(content)
        seen.add(fingerprint(tmp_path))
    os.utime(tmp_path / name, ns=(1, 1))
    assert len(seen | {fingerprint(tmp_path)}) == 4


@pytest.mark.parametrize(("name", "content"), [("study.db-wal", ""), ("report.html", "x"), ("curves.png", "x")])
def test_fingerprint_is_blind_to_what_looking_leaves_behind(name, content, tmp_path):
    before = fingerprint(tmp_path)
    (tmp_path / name).write_text(content)
    assert fingerprint(tmp_path) == before


# What a run is doing


def test_status(training):
    def status(after=0.0):
        then = time.time() - after
        os.utime(training.path / "history.jsonl", (then, then))
        return WatchedRun(training.run).status()

    usual = {"loss": 1.0, "learning_rate": 0.1, "samples_per_second": 81234.5}
    rows = [{"epoch": n, "seconds": s, **usual} for n, s in ((1, 90.0), (2, 70.0))]
    write_json_lines(training.path / "history.jsonl", rows)
    assert status() == "epoch 2 of 8, 81,234 samples/s, 8 min 00 s left"
    assert status(after=60) == "epoch 2 of 8, 81,234 samples/s, 7 min 00 s left"
    assert status(after=340).startswith("epoch 2 of 8, 81,234 samples/s, 2 min 20 s left")
    silent = f"no news for 6 min 00 s; if it was stopped, go on with: muslin train --resume {training.path}"
    assert status(after=360) == f"epoch 2 of 8, {silent}"
    training.end()
    assert status() == "finished after 8 epochs"
    (training.path / "summary.json").unlink()
    (training.path / "history.jsonl").unlink()
    assert WatchedRun(training.run).status() == "epoch 0 of 8"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.7, "1 min 00 s"), (3599, "59 min 59 s"), (3661, "1 h 01 min")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_a_port_in_use_is_one_sentence():
    listening, address = live.listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    assert address == f"http://127.0.0.1:{port}/"
    with listening, pytest.raises(InputError, match=f"^Port {port} is in use; choose another --port"):
        live.listen("127.0.0.1", port)
    with pytest.raises(InputError, match=r"Cannot listen at 192\.0\.2\.1, port 0: "):
        live.listen("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("name", False),
    ],
)
def test_loopback(host, alone):
    assert live.loopback(host) is alone


# The page in a browser


@pytest.fixture
def watched_page(open_page):
    """A page of the directory, served while it is open: ``with watched_page(path) as page``."""

    @contextmanager
    def open_(path):
        with served(path) as address:
            page = open_page(address)
            yield page
            page.close()

    return open_


def epochs(page, n):
    """Wait until the chart of the loss has n epochs."""
    until(page, f"document.getElementById('loss')?.data?.[0].x.length === {n}")


def until(page, condition):
    """Wait until a condition of JavaScript holds. The page's policy forbids Playwright's own way, eval."""
    deadline, holds = time.monotonic() + PATIENCE / 1000, False
    while not holds:
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)
        with suppress(Error):  # the page is just being loaded again
            holds = page.evaluate(condition)


def test_the_page_follows_a_run_to_its_end(training, watched_page):
    with watched_page(training.path) as page:
        epochs(page, 3)
        page.evaluate("window.loaded = 'once'")
        page.get_by_text("The figures as a table").click()
        box = page.locator("#loss .nsewdrag").first.bounding_box()
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.52 * box["height"], steps=4)
        page.mouse.up()
        zoom = page.evaluate("document.getElementById('loss').layout.xaxis.range")
        assert zoom[0] > 1.5
        training.later(5)
        epochs(page, 5)
        assert page.evaluate("document.getElementById('loss').layout.xaxis.range") == zoom
        assert page.locator("details[open] tbody tr").count() == 5
        assert page.locator(".live").inner_text().startswith("epoch 5 of 8, ")
        assert page.evaluate("window.loaded") == "once"
        training.end()  # the page is loaded anew, for it has another part: how sure the network may be
        page.get_by_text("finished after 8 epochs").wait_for(timeout=PATIENCE)
        page.locator("#calibration").wait_for(timeout=PATIENCE)
        epochs(page, 8)
        assert page.locator(".notice").count() == 0


@pytest.mark.slow
def test_the_page_comes_up_when_the_run_begins(training, tmp_path, watched_page):
    with watched_page(tmp_path / "later") as page:
        page.get_by_text("later has not begun yet.").first.wait_for(timeout=PATIENCE)
        shutil.copytree(training.path, tmp_path / "later")
        epochs(page, 3)


@pytest.mark.slow
def test_the_last_state_stays_when_the_server_ends(training, chromium):
    context = chromium.new_context()
    with served(training.path) as address:
        page = context.new_page()
        page.goto(address)
        epochs(page, 3)
    page.get_by_text("muslin does not answer").wait_for(timeout=PATIENCE)
    epochs(page, 3)
    context.close()


class Sweep:
    """A sweep of one hyperparameter, whose trials end when they are told to."""

    def __init__(self, folder):
        from muslin.sweeps import directory
        from muslin.sweeps.file import schema

        raw = {
            "method": "random",
            "metric": {"name": "val_accuracy", "goal": "maximize"},
            "parameters": {"dropout": {"min": 0.0, "max": 0.5}},
        }
        where, self.study = directory.begin(schema.parse(raw), "sweep", folder)
        self.path, self.trials = where.path, []

    def start(self):
        from muslin.sweeps.search import Asked

        n = len(self.trials)
        self.trials.append(self.study.start(n, Asked({"dropout": 0.1 + n / 100}, {}, {}), f"run-{n}"))

    def end(self, number, value, state="finished"):
        trial = self.trials[number]
        trial.state, trial.value = state, value
        self.study.claims.take(lambda n: True)
        assert self.study.end(trial)


def test_the_page_follows_a_sweep(tmp_path, watched_page):
    sweep = Sweep(tmp_path)
    for value in (0.5, 0.7, 0.6, None):
        sweep.start()
        if value:
            sweep.end(len(sweep.trials) - 1, value)
    with watched_page(sweep.path) as page:

        def trials():
            return page.locator("#runs tbody tr:not([hidden]) th").all_inner_texts()

        page.get_by_text("3 finished, 1 running, best val_accuracy 0.7 (trial 1)").wait_for(timeout=PATIENCE)
        page.get_by_role("button", name="val_accuracy").click()
        assert trials() == ["1", "2", "0", "3"]
        sweep.end(3, 0.9)
        sweep.start()
        page.get_by_text("4 finished, 1 running, best val_accuracy 0.9 (trial 3)").wait_for(timeout=PATIENCE)
        until(page, "document.getElementById('best-so-far').data.at(-1).y.at(-1) === 0.9")
        assert trials() == ["1", "2", "0", "3", "4"]
        assert page.locator("[data-id='3']").inner_text().split()[2:4] == ["finished", "0.9"]
        assert page.locator("[data-counts]").inner_text() == "5 of 5"
