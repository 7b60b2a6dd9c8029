"""Download from mirrors that behave, and from those that do not: what is said, and who is asked next."""

import gzip
import io
import sys
import threading
import time

import pytest

from muslin.datasets import cache, load, mirrors
from muslin.datasets.catalogue import FILES
from muslin.errors import InputError


def send(handler, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def good(handler, file: bytes) -> None:
    send(handler, file)


def silent(handler, file: bytes) -> None:
    handler.release.wait(20)


def without_length(handler, file: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(file[:-12])


def changed(handler, file: bytes) -> None:
    payload = bytearray(gzip.decompress(file))
    payload[-1] ^= 1
    send(handler, gzip.compress(payload))


BAD = {
    "web page": (lambda handler, file: send(handler, b"<html>Log in</html>"), "is a web page, not data"),
    "not gzip": (lambda handler, file: send(handler, b"no such key"), "is not gzip: it starts with 6e 6f 20 73"),
    "cut below Content-Length": (
        lambda handler, file: send(handler, file[:-9], length=len(file)),
        "the download broke off half way",
    ),
    "cut, no Content-Length": (without_length, "is cut short: its gzip stream breaks off"),
    "changed byte": (changed, "is not Tiny's {file}: expected SHA-256 {expected}…, found "),
    "404": (lambda handler, file: send(handler, b"", 404), "HTTP 404 Not Found"),
    "407": (lambda handler, file: send(handler, b"", 407), "HTTP 407 Proxy Authentication Required, the proxy refused"),
    "503": (lambda handler, file: send(handler, b"<html>", 503), "HTTP 503 Service Unavailable"),
    "silent": (silent, "no answer in time"),
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(mirrors, "PATIENCE", 0.5)
    monkeypatch.setattr(mirrors, "TIMEOUTS", (0.5, 0.5))


def test_a_good_mirror_and_then_the_cache(serve, change, is_tiny):
    mirror = serve(good)
    change(mirrors=(mirror.url,))
    is_tiny(load("tiny"))
    assert mirror.asked == [f"{file}.gz" for file in FILES]
    is_tiny(load("tiny"))
    assert len(mirror.asked) == 4


def test_a_server_that_unpacks_on_the_way(serve, change, is_tiny):
    change(mirrors=(serve(lambda handler, file: send(handler, file, Content_Encoding="gzip")).url,))
    is_tiny(load("tiny"))


@pytest.mark.parametrize(("answer", "message"), BAD.values(), ids=BAD)
def test_each_failure_has_its_own_words(serve, change, answer, message):
    mirror = serve(answer)
    entry = change(mirrors=(mirror.url,))
    file, start = next(iter(FILES)), time.monotonic()
    with pytest.raises(InputError) as caught:
        load("tiny")
    assert time.monotonic() - start < 3
    said = str(caught.value)
    assert message.format(file=file, expected=entry.checksums[file][:12]) in said
    assert f"mirrors: {mirror.url}{file}.gz" in said
    assert "\n" not in said


@pytest.mark.parametrize(("answer", "message"), BAD.values(), ids=BAD)
def test_after_each_failure_the_next_mirror_helps_out(serve, change, is_tiny, answer, message):
    bad, fine = serve(answer), serve(good)
    change(mirrors=(bad.url, fine.url))
    is_tiny(load("tiny"))
    assert len(bad.asked) == 1  # it went to the end of the list
    assert len(fine.asked) == 4


def test_a_bad_file_is_named_though_the_next_mirror_helps_out(serve, change, capsys):
    bad = serve(changed)
    change(mirrors=(bad.url, serve(good).url))
    load("tiny", quiet=True)
    said = capsys.readouterr().err
    assert said.startswith(f"muslin: {bad.url}train-images-idx3-ubyte.gz is not Tiny's")
    assert said.endswith("It is not used.\n")


def test_two_mirrors_each_with_a_bad_file_make_a_whole(serve, change, is_tiny):
    def bad_at(*places):
        def answer(handler, file):
            (changed if len(mirror.asked) in places else good)(handler, file)

        mirror = serve(answer)
        return mirror.url

    change(mirrors=(bad_at(1), bad_at(2)))
    is_tiny(load("tiny"))


def test_a_download_that_broke_off_goes_on_where_it_was(serve, change, is_tiny, capsys):
    def breaks_off(handler, file):
        send(handler, file, 200 if len(first.asked) < 3 else 503)

    first, second = serve(breaks_off), serve(good)
    change(mirrors=(first.url,))
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte\.gz: HTTP 503"):
        load("tiny")
    change(mirrors=(second.url,))
    is_tiny(load("tiny"))
    assert second.asked == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]


def test_without_a_network_it_fails_at_once_and_names_every_host(change):
    change(mirrors=("http://no.such.host/", "http://127.0.0.1:9/"))
    start = time.monotonic()
    with pytest.raises(
        InputError, match=r"mirrors: no\.such\.host \(no connection\), 127\.0\.0\.1:9 \(no connection\)"
    ):
        load("tiny")
    assert time.monotonic() - start < 2


def test_a_name_that_never_resolves_costs_the_patience_only(change, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(mirrors, "_failure_to_answer", lambda url: "late" if release.wait(20) else "")
    change(mirrors=("http://one/", "http://two/"))
    start = time.monotonic()
    with pytest.raises(InputError, match=r"one \(no answer in 0.5 s\), two \(no answer in 0.5 s\)"):
        load("tiny")
    assert 0.4 < time.monotonic() - start < 1.5
    release.set()


def test_a_proxy_that_refuses_the_tunnel(serve, change, monkeypatch):
    def refuse(handler):
        handler.send_error(407)

    proxy = serve(good)
    monkeypatch.setattr(proxy.server.RequestHandlerClass, "do_CONNECT", refuse, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    change(mirrors=("https://no.such.host/",))
    with pytest.raises(InputError, match=r"no\.such\.host \(the proxy refused, see HTTP_PROXY and HTTPS_PROXY\)"):
        load("tiny")


def test_a_full_disk_is_said_in_words(serve, change, monkeypatch, tmp_path):
    monkeypatch.setattr(mirrors, "_Bar", lambda *args: FullDisk())
    change(mirrors=(serve(good).url,))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(InputError, match="mirrors: the disk is full"):
        load("tiny")
    assert list(tmp_path.glob("muslin-*")) == []
    assert not cache.root().exists()


class FullDisk:
    """Raises where pooch has written a piece."""

    def update(self, size: int) -> None:
        raise OSError(28, "No space left on device")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "quiet", "shown"), [(Terminal, False, True), (Terminal, True, False), (io.StringIO, False, False)]
)
def test_the_progress_bar_shows_on_a_terminal_only(serve, change, monkeypatch, terminal, quiet, shown):
    monkeypatch.setattr(sys, "stderr", terminal())
    monkeypatch.setenv("TERM", "xterm")
    change(mirrors=(serve(good).url,))
    load("tiny", quiet=quiet)
    written = sys.stderr.getvalue()
    assert all((file in written) == shown for file in FILES)
    assert shown or not written
