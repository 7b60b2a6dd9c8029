"""Over the wire: who may come in, what uploads may do, and what pages say."""

import gzip
import json
import os
import stat
import urllib.request

import pytest

from muslin.errors import InputError
from muslin.sweeps.server import application, door
from muslin.sweeps.server.host import Host, running, variables
from muslin.sweeps.server.links import confined

NAME = "<script>alert(1)</script>"
BEGIN = """mutation($n: String, $d: String, $c: JSONString) {
  upsertBucket(input: {name: $n, modelName: "p", displayName: $d, config: $c}) { bucket { id } } }"""
FILES = """mutation($f: [String!]!) {
  createRunFiles(input: {projectName: "p", runName: "r", files: $f}) { files { name uploadUrl } } }"""
VIEWER = json.dumps({"query": "{ viewer { entity } }"}).encode()


@pytest.fixture
def run(client):
    config = json.dumps({"lr": {"value": 0.5}, "text": {"value": NAME}})
    client.ask(BEGIN, n="r", d=NAME, c=config)
    return "r"


def test_the_key_is_the_owner_s_alone(host):
    for name in ("key", "secret"):
        assert stat.S_IMODE(os.stat(host.home / name).st_mode) == 0o600
    assert len(host.key) >= 40


def test_a_key_is_needed(host, client):
    assert client.send("POST", "/graphql", VIEWER)[0] == 200
    assert client.send("POST", "/graphql", VIEWER, key="")[0] == 401
    assert client.send("POST", "/files/local/p/r/file_stream", b"{}", key="")[0] == 401
    assert client.send("POST", "/graphql", VIEWER, key="", Authorization="Basic !!!")[0] == 401


def test_another_key_is_the_same_user_s_only(client, monkeypatch):
    """Scripts have keys of their own; another user's process on this machine is not let in with one."""
    assert client.send("POST", "/graphql", VIEWER, key="f" * 40)[0] == 200
    monkeypatch.setattr(door.os, "getuid", lambda: 12345)
    assert client.send("POST", "/graphql", VIEWER, key="f" * 40)[0] == 401


def test_a_server_for_others_wants_its_key_for_everything(tmp_path, client):
    with Host(tmp_path / "others", "0.0.0.0").aside() as host:
        client.url, client.key = host.url, host.key
        assert client.send("POST", "/graphql", VIEWER, key="f" * 40)[0] == 401
        assert client.send("GET", "/", key="")[0] == 401
        assert client.send("GET", "/")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_no_web_site_reaches_it(client, headers):
    assert client.send("POST", "/graphql", VIEWER, **headers)[0] == 400


def test_a_link_from_elsewhere_opens(client):
    assert client.send("GET", "/", key="", **{"Sec-Fetch-Site": "cross-site"})[0] == 200


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a//x", "", ".", "C:/x", "a\0b", "x" * 500, "..\\x"])
def test_a_name_that_leads_out_is_refused(client, run, name):
    found = client.ask(FILES, f=[name])
    assert "cannot be named" in found["errors"][0]["message"]


def test_a_link_in_the_folder_leads_nowhere(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "out").symlink_to(tmp_path)
    with pytest.raises(InputError, match="outside"):
        confined(tmp_path / "files", "out/x")


def test_a_file_goes_up_and_comes_down(client, run, host):
    (file,) = client.ask(FILES, f=["media/images/a b.png"])["data"]["createRunFiles"]["files"]
    assert client.send("PUT", file["uploadUrl"], b"first", key="")[0] == 200
    assert client.send("PUT", file["uploadUrl"], b"second", key="")[0] == 200
    kept = host.root / "p" / "r" / "files" / "media" / "images" / "a b.png"
    assert kept.read_bytes() == b"second"
    assert [path.name for path in kept.parent.iterdir()] == ["a b.png"]
    status, body, headers = client.send("GET", "/local/p/runs/r/files/media/images/a%20b.png", key="")
    assert (status, body, headers["content-type"]) == (200, b"second", "image/png")


def test_an_address_is_good_for_its_file_alone(client, run):
    (file,) = client.ask(FILES, f=["a.txt"])["data"]["createRunFiles"]["files"]
    for other in (file["uploadUrl"].replace("a.txt", "b.txt"), file["uploadUrl"].replace("/upload/", "/upload/0")):
        assert client.send("PUT", other, b"x", key="")[0] == 403


def test_a_page_that_was_logged_runs_nothing(client, run):
    (file,) = client.ask(FILES, f=["media/html/x.html"])["data"]["createRunFiles"]["files"]
    client.send("PUT", file["uploadUrl"], b"<script>alert(1)</script>", key="")
    _, _, headers = client.send("GET", "/local/p/runs/r/files/media/html/x.html", key="")
    assert "sandbox" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_what_is_too_long_is_refused(client, run, monkeypatch):
    monkeypatch.setattr(application, "STREAM", 1000)
    assert client.send("POST", "/files/local/p/r/file_stream", b" " * 2000)[0] == 413
    packed = gzip.compress(b" " * 100_000)
    assert len(packed) < 1000
    assert client.send("POST", "/files/local/p/r/file_stream", packed, **{"Content-Encoding": "gzip"})[0] == 413


def test_a_packed_stream(client, run, host):
    sent = {"files": {"wandb-history.jsonl": {"offset": 0, "content": ['{"a": NaN, "_step": 0}']}}}
    body = gzip.compress(json.dumps(sent).encode())
    assert client.send("POST", "/files/local/p/r/file_stream", body, **{"Content-Encoding": "gzip"})[0] == 200
    assert json.loads((host.root / "p" / "r" / "history.jsonl").read_text()) == {"a": None, "_step": 0}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"query": 3}', b'{"variables": {}}'])
def test_no_body_breaks_it(client, run, body):
    assert client.send("POST", "/graphql", body)[0] in (200, 400)
    assert client.send("POST", "/files/local/p/r/file_stream", body)[0] in (200, 400)
    assert client.send("GET", "/healthz", key="")[0] == 200


def test_a_stream_of_an_unknown_run_begins_it(client, host):
    assert client.log("late", 0, {"a": 1})[0] == 200
    assert (host.root / "p" / "late" / "history.jsonl").exists()


def test_pages_say_names_and_run_none(client, run):
    client.log(run, 0, {NAME: 1.0, "_step": 0}, {NAME: 2.0, "_step": 1})
    client.stream(run, files={"output.log": {"offset": 0, "content": [f"2026-01-01T00:00:00 {NAME}"]}})
    for page in ("/", "/local", "/local/p", "/local/p/runs/r"):
        status, body, headers = client.send("GET", page, key="")
        assert status == 200
        assert NAME.encode() not in body
        assert "default-src 'none'" in headers["content-security-policy"]
    assert client.send("GET", "/local/p/runs/none", key="")[0] == 404
    assert client.send("GET", "/local/none", key="")[0] == 404


def test_one_server_a_folder(host):
    assert running(host.root) == {"url": host.url, "key": host.key}
    with pytest.raises(InputError, match="runs already at http://127"):
        Host(host.root)


def test_a_server_that_was_killed_is_not_found(tmp_path):
    with Host(tmp_path / "runs").aside():
        pass
    (tmp_path / "runs" / ".server" / "address.json").write_text('{"url": "http://127.0.0.1:1"}')
    assert running(tmp_path / "runs") is None


def test_the_environment_of_a_program():
    before = {"WANDB_MODE": "offline", "no_proxy": "intern", "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "9", "HOME": "h"}
    now = variables("http://u", "k", before)
    assert now["WANDB_BASE_URL"] == "http://u"
    assert now["WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL"] == "9"
    assert "WANDB_MODE" not in now
    assert now["NO_PROXY"].startswith("intern,127.0.0.1")
    assert variables("http://u", "k", {"WANDB_MODE": "disabled"})["WANDB_MODE"] == "disabled"


def test_the_loopback_is_reached_without_a_proxy(host, monkeypatch):
    from muslin.sweeps.server.host import answers

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert answers(host.url)
    assert urllib.request.getproxies()["http"] == "http://127.0.0.1:1"


def test_an_artifact_s_file_by_each_address(client, run):
    create = """mutation($i: CreateArtifactInput!) { createArtifact(input: $i) { artifact { id } } }"""
    given = {"artifactTypeName": "data", "artifactCollectionName": "d", "projectName": "p", "digest": "x"}
    id = client.ask(create, i=given)["data"]["createArtifact"]["artifact"]["id"]
    files = """mutation($f: [CreateArtifactFileSpecInput!]!) {
      createArtifactFiles(input: {artifactFiles: $f}) { files { edges { node { uploadUrl } } } } }"""
    found = client.ask(files, f=[{"artifactID": id, "name": "in/a.txt", "md5": "m"}])["data"]["createArtifactFiles"]
    client.send("PUT", found["files"]["edges"][0]["node"]["uploadUrl"], b"content", key="")
    for middle in ("default/local", "default/local/p/d"):
        assert client.send("GET", f"/artifactsV2/{middle}/Artifact%3A1/md5/in/a.txt")[:2] == (200, b"content")
        assert client.send("GET", f"/artifactsV2/{middle}/{id}/md5/in/a.txt", key="")[0] == 404
    assert client.send("GET", f"/artifactsV2/r/e/{id}/md5/..%2f..%2fx")[0] == 404
    query = "query($i: ID!) { artifact(id: $i) { files { edges { node { name directUrl } } } } }"
    node = client.ask(query, i=id)["data"]["artifact"]["files"]["edges"][0]["node"]
    assert client.send("GET", node["directUrl"], key="")[1] == b"content"


def test_what_may_pass_is_tried_again_and_not_given_up(client, run, host, capfd):
    """A client ends its stream for good at 400, and a run at an error of GraphQL; at 500 it tries again."""
    folder = host.root / "p" / "r"
    folder.rename(host.root / "away")
    folder.write_text("a file in the way")
    assert client.stream(run, complete=True, exitcode=0)[0] == 500
    body = json.dumps({"query": BEGIN, "variables": {"n": "r", "c": "{}"}}).encode()
    assert client.send("POST", "/graphql", body)[0] == 500
    folder.unlink()
    (host.root / "away").rename(folder)
    assert client.stream(run, complete=True, exitcode=0)[0] == 200
    assert json.loads((folder / "summary.json").read_text())["state"] == "finished"
    assert "Cannot write" in capfd.readouterr().err


@pytest.mark.parametrize("damage", [b"no database " * 500, None], ids=["other bytes", "a part"])
def test_a_damaged_database_is_one_sentence(tmp_path, damage):
    Host(tmp_path).close()
    state = tmp_path / ".server" / "state.db"
    state.write_bytes(damage or state.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"state.db cannot be used"):
        Host(tmp_path)
