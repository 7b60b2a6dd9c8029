"""Many connections, silent and slow ones, and more bodies than memory: a short answer, and no end of it for others."""

import base64
import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from muslin.report import live
from muslin.sweeps.server import application


@pytest.fixture
def connect(host):
    with ExitStack() as stack:
        place = ("127.0.0.1", int(host.url.rpartition(":")[2]))
        yield lambda: stack.enter_context(socket.create_connection(place, timeout=20))


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(live, "HASTE", 1.0)


def quick(client):
    started = time.monotonic()
    assert client.send("GET", "/healthz", key="")[0] == 200
    assert time.monotonic() - started < 5  # far more than it takes: the machine may be busy


def asked(host, length):
    """The head of a query with so many bytes."""
    key = base64.b64encode(f"api:{host.key}".encode()).decode()
    lines = ["POST /graphql HTTP/1.1", "Host: localhost", f"Authorization: Basic {key}", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


def healthy(connection):
    """Whether the server answers on this connection."""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(1000)
    return b"200 OK" in answer


def test_silent_and_slow_connections_hold_up_no_one_and_are_closed(hasty, connect, client):  # before there is a host
    silent = [connect() for _ in range(200)]
    for connection in silent[::2]:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")  # and no more
    quick(client)
    for connection in silent:
        assert connection.recv(1) == b""
    late = connect()
    assert healthy(late)
    time.sleep(1.5)  # it may say something again
    assert healthy(late)


def test_bodies_take_no_more_memory_than_there_is_for_them(connect, client, host, monkeypatch, capfd):
    """What does not fit is asked to come again; what was given up makes room, and no traceback."""
    monkeypatch.setattr(application, "HELD", 3 << 20)
    head = asked(host, 2 << 20)
    first = connect()
    first.sendall(head + bytes((2 << 20) - 1))
    state = host.server.config.app.inner.state
    until = time.monotonic() + 30
    while state.bytes < (2 << 20) - 1 and time.monotonic() < until:  # the first one's bytes have come
        time.sleep(0.01)
    connection = connect()
    connection.sendall(head)
    threading.Thread(target=lambda: _say(connection, bytes(2 << 20)), daemon=True).start()
    assert b"503" in connection.recv(100).split(b"\r\n")[0], state.bytes
    quick(client)
    first.close()
    time.sleep(0.2)
    second = connect()
    second.sendall(head + b" " * (2 << 20))
    assert b" 400 " in second.recv(100).split(b"\r\n")[0]  # no JSON, but taken
    assert "Traceback" not in capfd.readouterr().err


def _say(connection, data):
    with suppress(OSError):  # it may be refused before its end
        connection.sendall(data)


def test_a_body_that_is_cut_off_is_no_fault_of_the_server(connect, client, host, capfd):
    head = asked(host, 100)
    connection = connect()
    connection.sendall(head + b"{")
    time.sleep(0.1)
    connection.close()
    time.sleep(0.2)
    quick(client)
    assert "Traceback" not in capfd.readouterr().err
