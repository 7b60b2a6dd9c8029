"""The playground: what the page computes is what Python computes, and it can be played with by anyone."""

import io
import json
import re
from base64 import b64decode, b64encode

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from toys import CLASSES, bars

from muslin import FeedForwardNeuralNetwork, datasets
from muslin.datasets import Dataset, images
from muslin.errors import InputError
from muslin.files import write_json
from muslin.report import pages, playground
from muslin.runs import Run

SHAPE, TOLERANCE = (8, 8), 1e-5


@pytest.fixture(scope="module")
def written(finished, toy, tmp_path_factory):
    """The page of the finished run, with all 30 test images."""
    path = tmp_path_factory.mktemp("playground") / "playground.html"
    assert playground.write(finished, datasets.load(toy), path) == 30
    return path


@pytest.fixture
def page(written, open_page):
    return opened(open_page(written))


def opened(page):
    page.wait_for_function("signals !== undefined")
    return page


def settled(page):
    """The page after it has painted what it was told last."""
    page.evaluate("new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
    return page


def shown(page):
    """The percentages on the page, by class."""
    texts = settled(page).locator("#classes output").all_inner_texts()
    return dict(zip(CLASSES, (float(text.rstrip("%")) for text in texts), strict=True))


def expected(network, x):
    return dict(zip(CLASSES, 100 * network.predict_proba(x.reshape(1, -1))[0].astype(float), strict=True))


def seen(page):
    """The pixels that the network is given."""
    return np.array(settled(page).evaluate("[...input.pixels]"))


def data_of(X, **changes):
    parts = {"name": "noise", "class_names": ("a", "b", "c"), "image_shape": SHAPE, "checksums": {}}
    y = np.arange(len(X)) % 3
    return Dataset(**{"X_train": X, "y_train": y, "X_test": X, "y_test": y} | parts | changes)


def lively(activation="tanh", dtype=np.float32, sizes=(64, 20, 7, 12, 3)):
    """A random network whose activations are not all alike, biases among them."""
    network = FeedForwardNeuralNetwork(sizes, activation, "xavier", seed=1, dtype=dtype, engine="numpy")
    rng = np.random.default_rng(2)
    network.theta[...] += rng.normal(0, 0.15, network.theta.size)
    return network


NOISE = np.random.default_rng(0).integers(0, 256, (200, 64)).astype(np.uint8)


# The same numbers as Python's


@pytest.mark.parametrize("activation", FeedForwardNeuralNetwork.activations)
def test_the_probabilities_are_python_s(activation, open_page, tmp_path):
    network = lively(activation)
    write_page(tmp_path / "a.html", network, data_of(NOISE))
    P = np.array(opened(open_page(tmp_path / "a.html")).evaluate("samples.map(({ H }) => [...H[net.L]])"))
    assert P.shape == (200, 3)
    assert np.abs(P - network.predict_proba(NOISE)).max() < TOLERANCE
    others = [lively(name).predict_proba(NOISE) for name in network.activations if name != activation]
    assert min(np.abs(P - other).max() for other in others) > 100 * TOLERANCE


def write_page(path, network, data, samples=200):
    """A page without a run."""
    given = playground.contents(network, data, samples)
    about = {"name": "a", "dataset": data.name, "accuracy": None, "dtype": network.dtype.name}
    about |= playground.scripts(network)
    pages.render("playground.html", path, given=given, **about)


@pytest.mark.slow
def test_float64_is_written_as_float32_and_the_page_says_so(open_page, tmp_path):
    network = lively(dtype=np.float64)
    write_page(tmp_path / "a.html", network, data_of(NOISE))
    page = opened(open_page(tmp_path / "a.html"))
    P = np.array(page.evaluate("samples.map(({ H }) => [...H[net.L]])"))
    assert np.abs(P - network.predict_proba(NOISE)).max() < TOLERANCE
    assert "It was trained in float64; the page has its parameters in float32." in page.inner_text("main")


@pytest.mark.slow
def test_a_data_set_of_floats_without_a_test_part(open_page, tmp_path):
    X = (NOISE / np.float32(255) * 3 - 1).astype(np.float32)
    network = lively()
    write_page(tmp_path / "a.html", network, data_of(X, X_test=None, y_test=None), samples=50)
    page = opened(open_page(tmp_path / "a.html"))
    rows = page.evaluate("samples.map(({ row }) => row)")
    assert (len(rows), rows[0], rows[-1]) == (50, 0, 199)
    P = np.array(page.evaluate("samples.map(({ H }) => [...H[net.L]])"))
    assert np.abs(P - network.predict_proba(X[rows])).max() < TOLERANCE
    assert "training image 1" in page.inner_text("#source")


@pytest.mark.slow
def test_no_hidden_layer(open_page, tmp_path):
    network = lively(sizes=(64, 3))
    write_page(tmp_path / "a.html", network, data_of(NOISE))
    page = opened(open_page(tmp_path / "a.html"))
    P = np.array(page.evaluate("samples.map(({ H }) => [...H[1]])"))
    assert np.abs(P - network.predict_proba(NOISE)).max() < TOLERANCE
    assert page.locator(".units, .unit, .worth").count() == 0


# Samples


def test_samples_one_after_another(page, finished):
    (X, y), network = bars(30, 1), finished.model
    for s, button in ((1, "Next ›"), (2, "Next ›"), (1, "‹ Previous"), (0, "‹ Previous"), (29, "‹ Previous")):
        page.get_by_role("button", name=button).click()
        assert shown(page) == pytest.approx(expected(network, X[s]), abs=0.06)
        assert page.inner_text("#source") == f"{CLASSES[y[s]]}: test image {s + 1}"
        assert page.inner_text("#classes .true span") == CLASSES[y[s]]
        np.testing.assert_array_equal(seen(page), X[s].ravel())


def test_the_next_mistake(open_page, tmp_path):
    network = lively()
    wrong = np.flatnonzero(network.predict(NOISE) != np.arange(200) % 3)
    write_page(tmp_path / "a.html", network, data_of(NOISE))
    page = opened(open_page(tmp_path / "a.html"))
    for row in [row for row in wrong if row][:3]:
        page.get_by_role("button", name="Next mistake").click()
        assert page.inner_text("#source").endswith(f"test image {row + 1}")
        assert "wrong, it is: " in settled(page).inner_text("#answer")


def test_layers_light_up(page, finished):
    X, _ = bars(30, 1)
    signals = next(finished.model.chunks(X[:1].reshape(1, -1), np.array([0])))[1]
    for k in (1, 2, 3):
        hover = page.locator(f"[data-layer='{k}'] i").nth(4)
        hover.hover()
        value = float(hover.get_attribute("title").partition("h = ")[2].replace("−", "-"))
        assert value == pytest.approx(float(signals.H[k][4, 0]), abs=6e-4)
    colors = "[...document.querySelectorAll('.units i')].map((i) => i.style.backgroundColor)"
    before = page.evaluate(colors)
    page.get_by_role("button", name="Next ›").click()
    assert len(set(before)) > 5
    assert settled(page).evaluate(colors) != before


# Drawings


def stroke(page, *points):
    """Draw with the mouse along points of the sheet, from 0 to 1."""
    box = page.locator("#sheet").bounding_box()
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def sheet(page, path):
    """The sheet as a picture file."""
    path.write_bytes(b64decode(page.evaluate("sheet.canvas.toDataURL().split(',')[1]")))
    return path


def test_a_drawing_is_seen_as_muslin_predict_sees_it(page, finished, tmp_path):
    stroke(page, (0.2, 0.2), (0.4, 0.8), (0.7, 0.6))
    stroke(page, (0.6, 0.3), (0.62, 0.3))
    assert "Your drawing" in settled(page).inner_text("#source")
    x = images.read(sheet(page, tmp_path / "sheet.png"), SHAPE)
    assert x.max() > 200
    assert np.abs(seen(page) - x).max() <= 1
    assert shown(page) == pytest.approx(expected(finished.model, x), abs=1)


def test_a_finger_draws(page):
    box = page.locator("#sheet").bounding_box()
    device = page.context.new_cdp_session(page)
    at = [{"x": box["x"] + 80, "y": box["y"] + y} for y in (60, 120, 200)]
    device.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at[:1]})
    for place in at[1:]:
        device.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
    device.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    drawn = seen(page).reshape(SHAPE)
    assert "Your drawing" in page.inner_text("#source")
    assert drawn[1:7, 3:5].max(axis=1).min() > 100  # an upright bar, moved to the middle
    assert drawn[:, [0, 1, 6, 7]].max() == 0


def test_drawing_on_a_sample_and_erasing_leave_the_rest_in_its_place(page):
    before = seen(page).reshape(SHAPE)
    page.get_by_text("Draw on it").click()
    stroke(page, (0.9, 0.55), (0.95, 0.55))
    added = seen(page).reshape(SHAPE)
    assert added[4, 7] > before[4, 7] + 60
    np.testing.assert_array_equal(added[:, :5], before[:, :5])
    page.get_by_text("Erase").click()
    page.locator("#width").fill("40")
    stroke(page, (0.1, 0.5), (0.12, 0.5))
    assert seen(page).reshape(SHAPE)[3:5, :2].max() == 0


@pytest.mark.slow
def test_clear(page):
    stroke(page, (0.2, 0.2), (0.4, 0.8))
    page.get_by_role("button", name="Clear").click()
    assert seen(page).max() == 0
    assert "An empty sheet" in page.inner_text("#source")


@pytest.mark.slow
def test_a_dot_is_a_drawing(page):
    stroke(page, (0.3, 0.3))
    assert seen(page).max() > 200


# Pictures


def picture(form):
    """A picture of a bar, as PNG: (bytes, the margin's part in it)."""
    rng = np.random.default_rng(3)
    if form == "of the shape":
        image = Image.fromarray(255 - bars(3, 5)[0][1])
    elif form == "dark on grey":
        array = np.full((90, 130), 190, np.uint8)
        array[10:77, 40:63] = rng.integers(0, 60, (67, 23))
        image = Image.fromarray(array)
    elif form == "in color":
        array = np.full((61, 45, 3), (250, 240, 200), np.uint8)
        array[5:50, 20:31] = (30, 60, 160)
        image = Image.fromarray(array)
    elif form == "transparent":
        array = np.zeros((70, 50, 4), np.uint8)
        array[20:60, 5:15] = (20, 20, 20, 255)
        image = Image.fromarray(array)
    else:  # small
        array = np.zeros((5, 4), np.uint8)
        array[1:, 1:3] = rng.integers(100, 255, (4, 2))
        image = Image.fromarray(array)
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


DROP = """([kind, name, base64]) => {
  const given = new DataTransfer();
  if (name) given.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
  const options = { bubbles: true, cancelable: true };
  const event = kind === "paste" ? new ClipboardEvent(kind, { ...options, clipboardData: given })
                                 : new DragEvent(kind, { ...options, dataTransfer: given });
  document.querySelector("#sheet").dispatchEvent(event);
}"""


def drop(page, name, content, kind="drop"):
    page.evaluate(DROP, [kind, name, b64encode(content).decode()])
    page.wait_for_function("name => source.textContent.startsWith(name)", arg=name)


@pytest.mark.parametrize("form", ["of the shape", "dark on grey", "in color", "transparent", "small"])
def test_a_dropped_picture_is_seen_as_muslin_predict_sees_it(form, page, finished, tmp_path):
    (tmp_path / "bar.png").write_bytes(picture(form))
    x = images.read(tmp_path / "bar.png", SHAPE)
    drop(page, "bar.png", picture(form))
    assert np.abs(seen(page) - x).max() <= 1
    assert shown(page) == pytest.approx(expected(finished.model, x), abs=1)


def test_a_pasted_and_a_chosen_picture(page, tmp_path):
    drop(page, "pasted.png", picture("in color"), "paste")
    pasted = seen(page)
    page.get_by_role("button", name="Clear").click()
    file = {"name": "chosen.png", "mimeType": "image/png", "buffer": picture("in color")}
    page.locator("#file").set_input_files(file)
    page.wait_for_function("source.textContent.startsWith('chosen.png')")
    np.testing.assert_array_equal(seen(page), pasted)


def test_pictures_that_are_none(page):
    before = seen(page)
    drop(page, "letter.txt", b"Dear picture")
    assert page.inner_text("#source") == "letter.txt is not a picture that the browser can read."
    blank = io.BytesIO()
    Image.new("L", (40, 30), 255).save(blank, "png")
    drop(page, "blank.png", blank.getvalue())
    assert page.inner_text("#source") == "blank.png is blank; a picture must show something."
    page.evaluate(DROP, ["drop", "", ""])
    assert page.inner_text("#source") == "Drop the file of a picture."
    np.testing.assert_array_equal(seen(page), before)


# Hidden units


def without(run, turned):
    """The run's network with units turned down: {(k, i): factor}, as factors of the weights that lead on from them."""
    network = run.model
    for (k, i), factor in turned.items():
        network.weights[k + 1][:, i] *= factor
    return network


def test_a_unit_is_chosen_and_turned_down(page, finished):
    X, _ = bars(30, 1)
    unit = int(np.abs(finished.model.weights[2]).sum(axis=0).argmax())
    page.locator("[data-layer='1'] i").nth(unit).click()
    assert page.inner_text("#unit-title") == f"Unit {unit + 1} of layer 1"
    page.locator("#gain").fill("0.25")
    network = without(finished, {(1, unit): 0.25})
    assert shown(page) == pytest.approx(expected(network, X[0]), abs=0.06)
    P = np.array(page.evaluate("samples.map(({ pixels }) => [...answerTo(pixels, g)])"))
    assert np.abs(P - network.predict_proba(X.reshape(30, -1))).max() < TOLERANCE
    assert np.abs(P - finished.model.predict_proba(X.reshape(30, -1))).max() > 1e-3
    page.get_by_role("button", name="All on").click()
    assert shown(page) == pytest.approx(expected(finished.model, X[0]), abs=0.06)


def test_units_are_switched_off_from_the_keyboard(page, finished):
    X, y = bars(30, 1)
    page.locator("[data-layer='2'] [tabindex='0']").focus()
    for key in ("End", "ArrowLeft", "ArrowLeft", "Space", "Home", "ArrowRight", "Enter", "ArrowUp", "Space"):
        page.keyboard.press(key)
    assert page.inner_text("#unit-title") == "Unit 1 of layer 2"
    off = [(2, 13), (2, 1), (2, 0)]
    network = without(finished, dict.fromkeys(off, 0))
    assert shown(page) == pytest.approx(expected(network, X[0]), abs=0.06)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "unit 1, output × 0"
    right = int((network.predict(X.reshape(30, -1)) == y).sum())
    assert f"45 of 48 hidden units on: {right} of 30 test images right" in page.inner_text("#worth")
    page.keyboard.press("Space")
    assert "46 of 48" in settled(page).inner_text("#worth")


def test_what_a_unit_is_worth_and_looks_for(page, finished):
    (X, _), network = bars(30, 1), finished.model
    page.locator("[data-layer='3'] i").nth(5).click()
    on, off = (expected(net, X[0]) for net in (network, without(finished, {(3, 5): 0})))
    first = max(on, key=on.get)
    told = re.findall(r"[\d.]+(?=%)", settled(page).inner_text("#effect"))
    assert first in page.inner_text("#effect")
    assert [float(number) for number in told] == pytest.approx([on[first], off[first]], abs=0.06)
    assert page.inner_text("#from") == "(2)"
    W = page.get_by_role("img", name="Incoming weights").get_attribute("aria-label")
    low, high = (float(n.replace("−", "-")) for n in re.findall(r"−?[\d.]+", W))
    row = network.weights[3][5]
    assert (low, high) == pytest.approx((row.min(), row.max()), abs=6e-4)
    H = next(network.chunks(X.reshape(30, -1), np.arange(30)))[1].H[3][5]
    page.locator("#favorites button").first.click()
    assert page.inner_text("#source").endswith(f"test image {H.argmax() + 1}")


@pytest.mark.slow
def test_units_at_random(page):
    for on in (38, 28, 18, 8, 0, 0):
        page.get_by_role("button", name="Switch off 10 at random").click()
        assert f"{on} of 48 hidden units on" in page.inner_text("#worth")
    assert settled(page).locator("#ghost").is_visible()
    page.get_by_role("button", name="All on").click()
    assert page.inner_text("#worth").startswith("48 of 48 hidden units on")


# Training on


def example(page, label):
    page.locator("#class").select_option(label=label)
    page.get_by_role("button", name="Add it to the examples").click()


def train_on(page, **fields):
    for name, value in fields.items():
        page.locator(f"#{name}").fill(str(value))
    page.get_by_role("button", name="Train on").click()
    page.wait_for_function("trained.textContent.includes('now')")
    return settled(page).inner_text("#trained")


def test_training_on_is_python_s(page, finished):
    """One example alone: each step is a step of the Python network in float64 on that image."""
    (X, y), network = bars(30, 1), finished.model
    exact = FeedForwardNeuralNetwork(**network.config | {"dtype": "float64"}, engine="numpy")
    exact.theta[...] = network.theta
    other = CLASSES[(y[0] + 1) % len(CLASSES)]
    example(page, other)
    page.locator("#mix").uncheck()
    page.locator("#optimizer").select_option("nag")
    said = train_on(page, steps=20, rate=0.01)
    step = {"rule": exact.optimizers["nag"], "u": np.zeros_like(exact.theta)}
    for _ in range(20):
        exact.loss_and_gradients(X[:1].reshape(1, -1), np.array([CLASSES.index(other)]))
        exact.theta[...], step["u"] = step["rule"](exact.theta, exact.gradient, step["u"], learning_rate=0.01)
    theta = np.array(page.evaluate("[...net.theta]"))
    assert np.abs(theta - exact.theta).max() < 1e-9
    assert np.abs(theta - network.theta).max() > 1e-3
    right = int((exact.predict(X.reshape(30, -1)) == y).sum())
    assert said.startswith("Examples right: 0 before, ")
    assert f"{right} of 30 now." in said
    assert shown(page) == pytest.approx(expected(exact, X[0]), abs=0.06)


def test_it_learns_what_was_drawn_without_forgetting(page):
    stroke(page, (0.2, 0.2), (0.8, 0.8))
    before = max(shown(page), key=shown(page).get)
    label = next(name for name in CLASSES if name != before)
    example(page, label)
    said = train_on(page, steps=60)
    assert "Examples right: 0 before, 1 of 1 now." in said
    assert max(shown(page), key=shown(page).get) == label
    had, has = map(int, re.search(r"images right: (\d+) before, (\d+) of 30 now", said).groups())
    assert has >= had - 3
    page.get_by_role("button", name="As it was").click()
    page.wait_for_function("trained.textContent.includes('as it was')")
    assert max(shown(page), key=shown(page).get) == before
    assert page.evaluate("net.theta.every((x, i) => x === theta[i])")


def test_units_that_are_off_stay_off_while_it_trains(page):
    page.locator("[data-layer='1'] [tabindex='0']").focus()
    page.keyboard.press("Space")
    before = page.evaluate("[...net.W[1]].filter((_, i) => i % net.sizes[1] === 0)")
    example(page, CLASSES[0])
    train_on(page, steps=5)
    assert page.evaluate("[...net.W[1]].filter((_, i) => i % net.sizes[1] === 0)") == before
    assert page.evaluate("net.W[1].some((w, i) => w !== theta[i])")


def test_examples_can_be_taken_away_and_bad_settings_are_told(page):
    example(page, CLASSES[1])
    page.locator("#steps").fill("many")
    page.get_by_role("button", name="Train on").click()
    assert page.inner_text("#trained") == "Steps are 1 to 10000, the learning rate a positive number."
    page.locator("#examples button").click()
    assert page.locator("#train").is_disabled()


# For whoever opens it


@pytest.mark.parametrize(
    ("width", "dark"),
    [
        (390, False),
        (1280, True),
        *(pytest.param(*other, marks=pytest.mark.slow) for other in ((820, True), (1280, False))),
    ],
)
def test_nothing_stands_in_anyone_s_way(width, dark, open_page, written):
    page = opened(open_page(written, width=width, dark=dark))
    page.get_by_role("button", name="Switch off 10 at random").click()
    page.locator("summary").click()
    violations = Axe().run(settled(page)).response["violations"]
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.querySelectorAll('.card')].filter((c) => c.scrollWidth > c.clientWidth)") == []


def test_the_theme_s_colors(page):
    color = "document.querySelector('.units i').style.backgroundColor"
    light = page.evaluate(color)
    page.locator("#theme").click()
    assert settled(page).evaluate(color) != light


def test_names_are_text(copy, open_page, tmp_path):
    odd = "<script>alert(1)</script>"
    config = json.loads((copy.path / "config.json").read_text())
    write_json(copy.path / "config.json", config | {"name": odd})
    data = data_of(NOISE, class_names=(odd, "</script><b>", "'\"&{{ 7 * 7 }}"))
    playground.write(Run(copy.path), data, tmp_path / "a.html", 3)
    page = opened(open_page(tmp_path / "a.html"))
    assert odd in page.inner_text("h1 + p")
    assert page.locator("#classes span").all_inner_texts()[1:] == ["</script><b>", "'\"&{{ 7 * 7 }}"]
    drop(page, "<img src=x onerror=alert(1)>.png", b"no picture")
    assert page.locator("main img, main script").count() == 0


# What cannot be


def test_an_activation_of_one_s_own(monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.activations, "mine", (np.cbrt, np.cbrt))
    with pytest.raises(
        InputError, match=r"The activation mine cannot be translated to JavaScript: the formula is no plain function"
    ):
        playground.contents(lively("mine"), data_of(NOISE))


def test_samples_that_are_no_images():
    with pytest.raises(InputError, match="The samples of noise are not images"):
        playground.contents(lively(), data_of(NOISE, image_shape=None))


def test_a_run_that_has_not_finished(copy, toy, tmp_path):
    (copy.path / "summary.json").unlink()
    with pytest.raises(InputError, match="has not finished training"):
        playground.write(copy, datasets.load(toy), tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()
