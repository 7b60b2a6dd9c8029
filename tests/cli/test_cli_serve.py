"""muslin serve: where it listens, and what it says where it cannot. What it does is in tests/sweeps/server."""

import json
import urllib.request


def test_it_says_where_it_is_and_ends_with_ctrl_c(start, alone):
    process = start("serve", "--port", 0, "--json")
    said = json.loads(process.stdout.readline())
    with urllib.request.urlopen(f"{said['url']}/healthz", timeout=10) as reply:
        assert json.load(reply) == {"ok": True}
    assert (alone / said["key_file"]).read_text().isalnum()
    process.send_signal(2)
    assert process.wait(20) == 0
    assert process.stderr.read() == ""


def test_a_folder_has_one_server(start, child):
    process = start("serve", "--port", 0, "--json")
    said = json.loads(process.stdout.readline())
    code, _, err = child("serve", "--port", "0")
    assert (code, err) == (2, f"muslin: A server of runs runs already at {said['url']}.\n")


def test_a_port_that_is_taken(start, child):
    process = start("serve", "--port", 0, "--json")
    port = json.loads(process.stdout.readline())["url"].rpartition(":")[2]
    code, _, err = child("serve", "--port", port, "--runs-dir", "others")
    assert code == 2
    assert f"Port {port} is in use" in err


def test_a_server_for_others_says_so(start):
    process = start("serve", "--port", 0, "--host", "0.0.0.0", "--json")
    process.stdout.readline()
    assert "Everyone who reaches this machine and has the key" in process.stderr.readline()
    process.send_signal(2)
    assert process.wait(20) == 0


def test_for_a_person(start, alone):
    process = start("serve", "--port", 0)
    said = dict(process.stdout.readline().split(maxsplit=1) for _ in range(4))
    assert (said["serving"], said["end"]) == ("runs\n", "Ctrl-C\n")
    url = said["page"].strip()
    assert (
        said["clients"]
        == f"export WANDB_BASE_URL={url} WANDB_API_KEY=$(cat {next(alone.rglob('key')).relative_to(alone)})\n"
    )
    with urllib.request.urlopen(f"{url}/healthz", timeout=10) as reply:
        assert json.load(reply) == {"ok": True}
    process.send_signal(2)
    assert process.wait(20) == 0
