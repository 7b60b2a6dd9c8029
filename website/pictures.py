"""``python website/pictures.py [FOLDER]``: the pictures of pages in the README and in docs/, into docs/images.

Trains a network on Fashion-MNIST, searches the digits and writes the pages, all in the folder, then looks at them with
Chromium. Two minutes; in a folder that has the pages already it only looks.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"

#: what a command makes → the command
MADE = {
    "runs/fashion/confusion_matrix.png": "train --recipe course --name fashion --evaluate",
    "runs/fashion/report.html": "report runs/fashion",
    "runs/fashion/playground.html": "playground runs/fashion",
    "runs/quick/analysis.json": f"sweep {ROOT / 'sweeps' / 'quick.yaml'}",
    "runs/quick/report.html": "report runs/quick",
    "blackboard.html": "blackboard",
    "toy.html": "playground --toy",
}


def coordinates(page):
    page.evaluate("document.getElementById('lines').scrollIntoView()")


def product(page):
    """dW⁽²⁾ = dA⁽²⁾ H⁽¹⁾ᵀ, with the row and the column of one number."""
    page.locator("#stages button", has_text="dW⁽²⁾").click()
    page.locator("#row td[data-key='dW2'][data-i='1'][data-j='2']").first.hover()


def race(page):
    """Momentum and Adam on the spiral, after 162 epochs."""
    page.locator(".lesson", has_text="Adam").locator("a").first.click()
    page.wait_for_function("running && racers.a.epoch > 160", timeout=60_000)
    page.evaluate("play(false); document.getElementById('play').scrollIntoView()")


def worksheet(page):
    page.set_viewport_size({"width": 640, "height": 900})
    page.evaluate("laySheets()")
    page.emulate_media(media="print")
    page.add_style_tag(content=".sheet { padding: 24px }")


def nothing(page):
    pass


#: picture → (page, what is done with it first, the part of it that is taken: None for what a window shows)
PICTURES = {
    "report": ("runs/fashion/report.html", nothing, None),
    "mistakes": ("runs/fashion/report.html", lambda page: page.evaluate("mistakes.scrollIntoView()"), None),
    "playground": ("runs/fashion/playground.html", nothing, None),
    "sweep": ("runs/quick/report.html", coordinates, None),
    "blackboard": ("blackboard.html", product, "#stage"),
    "toy": ("toy.html", race, None),
    "worksheet": ("blackboard.html", worksheet, ".sheet"),
}


def make(folder):
    for path, command in MADE.items():
        if not (folder / path).exists():
            subprocess.run([sys.executable, "-m", "muslin", *command.split()], cwd=folder, check=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for name, (path, prepare, part) in PICTURES.items():
            page = browser.new_page(viewport={"width": 1180, "height": 720})
            page.goto((folder / path).as_uri())
            page.wait_for_timeout(1000)
            prepare(page)
            page.wait_for_timeout(500)
            save(page.locator(part).first if part else page, IMAGES / f"{name}.png")
            page.close()
        browser.close()


def save(what, path):
    """The screenshot, in 128 colors: a third of the bytes."""
    what.screenshot(path=path)
    with Image.open(path) as image:
        image.convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as temporary:
            make(Path(temporary))
