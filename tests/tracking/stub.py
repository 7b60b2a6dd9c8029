"""A stand-in for W&B's server, on the loopback interface: what wandb 0.31 asks when a sweep's agent, a run or
`wandb sync` talks to it, and no more. It keeps what arrives:

    sweeps   {id: the sweep file}
    runs     {run id: {"bucket": the fields of UpsertBucket, "config": {…}, "history": [rows], "summary": {…},
                       "exitcode": n, "files": {name: bytes}}}
    asked    the names of all GraphQL operations, in order

    POST /graphql                                      Viewer, ServerFeaturesQuery, UpsertSweep, CreateAgent, Heartbeat,
                                                       UpsertBucket, RunResumeStatus, CreateRunFiles, RunStoppedStatus
    POST /files/<entity>/<project>/<run>/file_stream   lines of history, summary and output; at last the exit code
    PUT  /upload/<run>/<name>                          a file
"""

import gzip
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

import yaml

ENTITY = "tester"


class Stub:
    """``trials``: the configurations that the sweep's agents are given, one after the other; then they may go."""

    def __init__(self, trials=()):
        self.trials, self.handed = list(trials), 0
        self.sweeps, self.runs, self.asked = {}, {}, []
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), type("Handler", (Handler,), {"stub": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def run(self, name):
        empty = {"bucket": {}, "config": {}, "history": [], "summary": {}, "exitcode": None, "files": {}}
        return self.runs.setdefault(name, empty)

    def answer(self, operation, given):
        """The data that answer a GraphQL operation; None for one that is unknown."""
        self.asked.append(operation)
        return getattr(self, operation, lambda given: None)(given)

    def Viewer(self, given):
        viewer = {"id": "1", "entity": ENTITY, "username": ENTITY, "name": ENTITY, "email": "", "flags": "{}"}
        return {"viewer": viewer | {"admin": False, "teams": {"edges": []}, "apiKeys": {"edges": []}}}

    def ServerFeaturesQuery(self, given):
        return {"serverInfo": {"features": []}}

    def UpsertSweep(self, given):
        name = f"sweep{len(self.sweeps) + 1}"
        self.sweeps[name] = yaml.safe_load(given["config"])
        sweep = {"name": name, "project": self.project(given["projectName"])}
        return {"upsertSweep": {"sweep": sweep, "configValidationWarnings": []}}

    def CreateAgent(self, given):
        return {"createAgent": {"agent": {"id": "agent1"}}}

    def Heartbeat(self, given):
        """A trial where the agent has none, else nothing to do; ``exit`` when there are no more."""
        commands = []
        if not json.loads(given["runState"]):
            if self.handed < len(self.trials):
                args = {key: {"value": value} for key, value in self.trials[self.handed].items()}
                self.handed += 1
                commands = [{"type": "run", "run_id": f"trial{self.handed}", "args": args}]
            elif self.trials:
                commands = [{"type": "exit"}]
        return {"agentHeartbeat": {"agent": {"id": given["id"]}, "commands": json.dumps(commands)}}

    def UpsertBucket(self, given):
        run = self.run(given["name"])
        run["bucket"] |= {key: value for key, value in given.items() if value is not None}
        config = json.loads(given.get("config") or "{}")
        run["config"] |= {key: entry["value"] for key, entry in config.items() if key != "_wandb"}
        bucket = {"id": given["name"], "name": given["name"], "displayName": given.get("displayName")}
        bucket |= {"sweepName": given.get("sweep"), "historyLineCount": 0, "config": "{}"}
        project = self.project(given.get("project"))
        return {"upsertBucket": {"bucket": bucket | {"project": project}, "inserted": True}}

    def RunResumeStatus(self, given):
        return {"model": {"id": "1", "name": given["project"], "entity": {"id": "1", "name": ENTITY}, "bucket": None}}

    def CreateRunFiles(self, given):
        name = given["run"]
        files = [{"name": f, "uploadUrl": f"{self.url}/upload/{name}/{quote(f)}"} for f in given["files"]]
        return {"createRunFiles": {"runID": name, "uploadHeaders": [], "files": files}}

    def RunStoppedStatus(self, given):
        return {"project": {"run": {"stopped": False}}}

    def project(self, name):
        return {"id": "1", "name": name, "entity": {"id": "1", "name": ENTITY}}

    def stream(self, name, sent):
        """A piece of a run's file stream: {file: {"offset": number of the first line, "content": [lines]}}."""
        run = self.run(name)
        for file, part in (sent.get("files") or {}).items():
            lines = part["content"]
            if file == "wandb-history.jsonl":
                run["history"][part["offset"] :] = map(json.loads, lines)
            elif file == "wandb-summary.json":
                run["summary"] = json.loads(lines[-1])
        if sent.get("complete"):
            run["exitcode"] = sent["exitcode"]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that has gone away is no error."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stub: Stub

    def do_POST(self):
        body = self.body()
        with self.stub.lock:
            if self.path.endswith("/graphql"):
                sent = json.loads(body)
                operation = sent.get("operationName") or re.search(r"(?:mutation|query)\s+(\w+)", sent["query"])[1]
                data = self.stub.answer(operation, sent.get("variables") or {})
                unknown = {"errors": [{"message": f"the stub does not know {operation}"}], "data": None}
                self.reply({"data": data} if data else unknown)
                return
            if self.path.endswith("/file_stream"):
                self.stub.stream(self.path.split("/")[-2], json.loads(body))
        self.reply({})  # the rest is telemetry

    def do_PUT(self):
        _, _, name, file = self.path.split("/", 3)
        body = self.body()
        with self.stub.lock:
            self.stub.run(name)["files"][unquote(file)] = body
        self.reply({})

    def do_GET(self):
        self.reply({})

    def body(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def reply(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass
