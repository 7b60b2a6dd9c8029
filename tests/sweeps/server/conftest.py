"""A server in this process, and what clients send it, by hand: HTTP as the notes on W&B's protocol have it."""

import base64
import json
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from muslin.sweeps.server.desk import Desk
from muslin.sweeps.server.graph import Graph, answer
from muslin.sweeps.server.host import Host
from muslin.sweeps.server.links import Links

SWEEP = {
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"x": {"values": [1, 2, 3]}, "y": {"value": "constant"}},
}


class Client:
    """``url`` and ``key`` of a server; each method is a request."""

    def __init__(self, url, key):
        self.url, self.key = url, key

    def send(self, method, path, body=None, key=None, **headers):
        """(status, body, headers)"""
        address = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(address, body, headers, method=method)
        if (key or self.key) and key != "":
            token = base64.b64encode(f"api:{key or self.key}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.read(), reply.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        return json.loads(self.send("POST", "/graphql", body)[1])

    def stream(self, run, project="p", **sent):
        return self.send("POST", f"/files/local/{project}/{run}/file_stream", json.dumps(sent).encode())

    def log(self, run, offset, *rows):
        lines = [json.dumps(row) for row in rows]
        return self.stream(run, files={"wandb-history.jsonl": {"offset": offset, "content": lines}})


@pytest.fixture
def host(tmp_path):
    with Host(tmp_path / "runs").aside() as served:
        yield served


@pytest.fixture
def serving():
    """A context in which there is a client of a server of a folder."""

    @contextmanager
    def serving(folder):
        with Host(folder).aside() as host:
            yield Client(host.url, host.key)

    return serving


@pytest.fixture
def client(host):
    return Client(host.url, host.key)


class Door:
    """The desk of a folder, asked in this process; ``again()`` is what a kill and a new start make of it."""

    def __init__(self, root):
        self.root, self.desk = root, Desk(root)

    def again(self):
        self.desk.store.close()  # and nothing else: a kill tidies nothing up
        self.desk = Desk(self.root)

    def ask(self, query, **variables):
        links = Links(self.desk, "http://server", b"secret")
        found = answer(Graph(self.desk, "http://server", links), query, variables)
        assert "errors" not in found, found["errors"]
        return found["data"]

    def sweep(self, **changes):
        import yaml

        query = 'mutation($c: String) { upsertSweep(input: {config: $c, projectName: "p"}) { sweep { name } } }'
        return self.ask(query, c=yaml.safe_dump(SWEEP | changes))["upsertSweep"]["sweep"]["name"]

    def agent(self, sweep):
        query = 'mutation($s: String!) { createAgent(input: {sweep: $s, host: "h"}) { agent { id } } }'
        return self.ask(query, s=sweep)["createAgent"]["agent"]["id"]

    def beat(self, agent, *runs):
        """The one command for an agent that has these runs; None if there is none."""
        query = "mutation($a: ID!, $r: JSONString) { agentHeartbeat(input: {id: $a, runState: $r}) { commands } }"
        found = json.loads(
            self.ask(query, a=agent, r=json.dumps(dict.fromkeys(runs, True)))["agentHeartbeat"]["commands"]
        )
        assert len(found) <= 1
        return found[0] if found else None

    def begin(self, run, sweep):
        query = """mutation($n: String, $s: String) {
          upsertBucket(input: {name: $n, sweep: $s, modelName: "p"}) { bucket { sweepName } } }"""
        assert self.ask(query, n=run, s=sweep)["upsertBucket"]["bucket"]["sweepName"] == sweep

    def log(self, run, offset, *values):
        lines = [json.dumps({"loss": value, "_step": offset + n}) for n, value in enumerate(values)]
        return self.desk.stream(
            "local", "p", run, {"files": {"wandb-history.jsonl": {"offset": offset, "content": lines}}}
        )

    def end(self, run, exitcode=0):
        return self.desk.stream("local", "p", run, {"complete": True, "exitcode": exitcode})

    def trials(self, sweep):
        return self.desk.sweep(sweep).study.trials()

    def state(self, sweep):
        return self.desk.store.get("sweeps", id=sweep)["state"]


@pytest.fixture
def door(tmp_path):
    found = Door(tmp_path / "runs")
    yield found
    found.desk.close()
