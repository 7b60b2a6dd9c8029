"""The pages of `muslin serve` in a browser: they fit, ask nothing from elsewhere, and follow what happens."""

import json

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from muslin.sweeps.server.host import Host

PATIENCE = 20_000


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("served") / "runs"
    with Host(root).aside() as host:
        config = json.dumps({"lr": {"value": 0.1}, "name": {"value": "<b>x</b>"}})
        host.desk.upsert_run({"name": "r", "modelName": "p", "displayName": "<i>name</i>", "config": config})
        picture = root / "p" / "r" / "files" / "media" / "a.png"
        picture.parent.mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(picture)
        rows = [{"loss": 1 / (n + 1), "val/acc": n / 5, "_step": n} for n in range(5)]
        rows.append({"pic": {"_type": "image-file", "path": "media/a.png", "caption": "<u>c</u>"}, "_step": 5})
        log(host, 0, rows)
        file = {"method": "random", "metric": {"name": "loss"}, "parameters": {"x": {"min": 0.0, "max": 1.0}}}
        sweep, _ = host.desk.create_sweep("local", "p", file)
        agent = host.desk.create_agent(sweep, "host")
        (command,) = host.desk.heartbeat(agent["id"], set())[1]
        host.desk.upsert_run({"name": command["run_id"], "sweep": sweep, "modelName": "p", "config": "{}"})
        yield host, sweep


def log(host, offset, rows):
    content = [json.dumps(row) for row in rows]
    host.desk.stream("local", "p", "r", {"files": {"wandb-history.jsonl": {"offset": offset, "content": content}}})


@pytest.mark.parametrize(
    ("width", "dark"),
    [
        pytest.param(390, True, id="390-dark"),
        pytest.param(1280, False, id="1280-light"),
        pytest.param(390, False, id="390-light", marks=pytest.mark.slow),
        pytest.param(1280, True, id="1280-dark", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("path", ["/", "/local/p", "/local/p/runs/r", "SWEEP"])
def test_it_fits_and_asks_nothing_from_elsewhere(served, open_page, path, width, dark):
    host, sweep = served
    page = open_page(host.url + path.replace("SWEEP", f"/local/p/sweeps/{sweep}"), width, dark=dark)
    page.locator("h1").wait_for(timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    page.wait_for_function("[...document.querySelectorAll('.chart > div')].every(c => c.querySelector('svg'))")
    found = Axe().run(page).response["violations"]
    assert [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")] == []


def test_a_run_is_followed(served, open_page):
    host, _ = served
    page = open_page(f"{host.url}/local/p/runs/r")
    assert page.locator("h1").text_content() == "<i>name</i>"
    assert page.locator(".media img").evaluate("image => image.complete && image.naturalWidth") == 8
    page.locator("#curve-0 .main-svg").first.wait_for(timeout=PATIENCE)
    log(host, 6, [{"loss": 0.125, "val/acc": 0.9, "_step": 6}])
    page.get_by_text("7 steps").first.wait_for(timeout=PATIENCE)
    page.wait_for_function("document.getElementById('curve-0').data[0].y.at(-1) === 0.125", timeout=PATIENCE)
