"""The toy playground: it trains as Python does, every setting does something, and the lessons show what they say."""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from muslin import FeedForwardNeuralNetwork
from muslin.report import formulas, toy
from muslin.schedules import SCHEDULES


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "toy.html"
    toy.write(path)
    return path


@pytest.fixture
def page(written, open_page):
    return open_page(written)


def changed(page, **settings):
    """The page with other settings; those of configuration A have a_ before their name."""
    settings = {re.sub(r"^([ab])_", r"\1.", name): str(value) for name, value in settings.items()}
    assert page.evaluate("(news) => change(news)", settings), page.inner_text("#complaint")
    return page


def settled(page):
    """The page after it has painted what it was told last."""
    page.evaluate("new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
    return page


def history(page, letter="a"):
    return page.evaluate(f"racers.{letter}.history")


def trained(page, letter="a"):
    page.evaluate("train(1e9)")
    return history(page, letter)


# It trains as Python does


def test_training_is_python_s(page):
    """With the whole data as its batch, the order does not matter."""
    settings = {"samples": 60, "test": 0, "epochs": 40, "a_batch_size": 60, "a_layers": "6,5", "a_optimizer": "nadam"}
    changed(page, **settings, a_schedule="cosine", a_warmup=3, a_weight_decay=0.01, a_learning_rate=0.05)
    given = "({ theta: [...racers.a.net.theta], X: [...racers.a.data.train.X], y: racers.a.data.train.y })"
    start = page.evaluate(given)
    losses = [row["loss"] for row in trained(page)]
    network = FeedForwardNeuralNetwork([2, 6, 5, 2], "tanh", dtype=np.float64, engine="numpy")
    network.theta[...] = start["theta"]
    options = {"optimizer": "nadam", "learning_rate": 0.05, "weight_decay": 0.01, "schedule": "cosine", "warmup": 3}
    X, y = np.reshape(start["X"], (60, 2)), np.array(start["y"])
    ours = network.fit(X, y, epochs=40, batch_size=60, shuffle=False, **options)
    np.testing.assert_allclose(losses[:-1], ours["loss"], rtol=1e-9)
    np.testing.assert_allclose(page.evaluate("[...racers.a.net.theta]"), network.theta, rtol=0, atol=1e-9)


def test_accuracy_and_test_figures(page):
    changed(page, data="xor", samples=100, test=40, epochs=30)
    last = trained(page)[-1]
    data = page.evaluate("[[...racers.a.net.theta], racers.a.data.points]")
    network = FeedForwardNeuralNetwork([2, 8, 8, 2], "tanh", dtype=np.float64, engine="numpy")
    network.theta[...] = data[0]
    for part, prefix in (("train", ""), ("test", "test_")):
        points = np.array(data[1][part])
        right = (network.predict(points[:, :2]) == points[:, 2]).mean()
        assert last[f"{prefix}accuracy"] == pytest.approx(right)
        assert last[f"{prefix}loss"] == pytest.approx(
            network.loss_and_gradients(points[:, :2], points[:, 2].astype(int))[0]
        )
    assert (len(data[1]["train"]), len(data[1]["test"])) == (60, 40)


#: setting → a value that must change what comes out
SETTINGS = {
    "data": "moons",
    "samples": 150,
    "noise": 0.2,
    "label_noise": 20,
    "test": 10,
    "data_seed": 1,
    "a_layers": "4",
    "a_activation": "relu",
    "a_initializer": "he",
    "a_initializer_scale": 2,
    "a_loss": "mean_squared_error",
    "a_optimizer": "sgd",
    "a_learning_rate": 0.02,
    "a_schedule": "cosine",
    "a_warmup": 2,
    "a_weight_decay": 0.1,
    "a_dropout": 0.3,
    "a_batch_size": 20,
    "a_clip_norm": 0.01,
    "a_seed": 1,
    "a_beta1": 0.5,
    "a_beta2": 0.9,
    "a_epsilon": 0.1,
}


def test_every_setting_has_an_effect(page):
    def outcome(**settings):
        page.evaluate("settings = { ...DEFAULTS }")
        return trained(changed(page, **{"data": "circles", "samples": 100, "epochs": 5} | settings))[-1]["loss"]

    plain = outcome()
    assert outcome() == plain
    assert {name for name, value in SETTINGS.items() if abs(outcome(**{name: value}) - plain) < 1e-6} == set()
    names = page.evaluate("Object.keys(DEFAULTS)")
    rest = {"points", "epochs", "race"}
    assert {name.replace(".", "_") for name in names if name[:2] != "b."} - rest == {
        name for name in SETTINGS if not name.startswith(("a_beta", "a_epsilon"))
    }


def test_every_row_of_every_table_can_be_chosen(page):
    for name, table in (
        ("activation", FeedForwardNeuralNetwork.activations),
        ("loss", formulas.tables()["losses"]),
        ("optimizer", FeedForwardNeuralNetwork.optimizers),
        ("initializer", FeedForwardNeuralNetwork.initializers),
        ("schedule", SCHEDULES),
    ):
        assert page.locator(f"[name='a.{name}'] option").all_inner_texts() == list(table)


# Points of one's own, the address, the keyboard


def test_points_by_click(page):
    page.locator("#class").select_option("0")
    box = page.locator(".surface").first.bounding_box()
    place = page.mouse
    place.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
    page.locator("#class").select_option("1")
    box = page.locator(".surface").first.bounding_box()
    place.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.5)
    points = page.evaluate("racers.a.data.points.train")
    assert np.allclose(points, [[-0.55, 0.55, 0], [0.55, 0, 1]], atol=0.03)
    assert page.locator("[name=points]").input_value().count(";") == 1
    page.locator("[name=points]").fill("0.1 0.2 1\n-0.5, 0.3, 0\n0 0 1")
    page.locator("[name=points]").blur()
    assert page.evaluate("racers.a.data.points.train") == [[0.1, 0.2, 1], [-0.5, 0.3, 0], [0, 0, 1]]
    page.locator("#undo-point").click()
    assert page.evaluate("racers.a.data.train.n") == 2
    page.locator("#clear-points").click()
    assert "No points yet" in settled(page).inner_text("#panel-a .says")
    assert page.locator("#play").is_disabled()


def test_a_link_is_a_lesson(page, open_page):
    changed(page, data="spiral", race=1, b_optimizer="momentum", b_momentum=0.5, a_layers="4,3", a_dropout=0.1)
    other = open_page(page.url.removeprefix("file://"))
    assert other.evaluate("settings") == page.evaluate("settings")
    assert other.locator("#panel-b").is_visible()
    assert trained(other, "b") == trained(page, "b")
    assert other.evaluate("racers.b.step.parts[0].scalars.momentum") == 0.5


def test_addresses_and_settings_that_cannot_be(written, open_page, page):
    other = open_page(f"{written}#a.layers=8,99")
    assert "A: Layers are up to 6 whole numbers from 1 to 16" in other.inner_text("#complaint")
    assert other.evaluate("racers.a.sizes") == [2, 8, 8, 2]
    for name, text, sentence in (
        ("samples", "3", "samples is a whole number from 4 to 1000."),
        ("a.learning_rate", "quick", "A: learning_rate is a number from 0"),
        ("a.beta1", "1", "A: beta1 is a number from 0, below 1."),
        ("a.warmup", "300", "A: Warm-up must be fewer epochs"),
    ):
        field = page.locator(f"[name='{name}']")
        kept = field.input_value()
        field.fill(text)
        field.press("Enter")
        assert sentence in page.inner_text("#complaint")
        page.locator(f"[name='{name}']").fill(kept)
        page.locator(f"[name='{name}']").press("Enter")
        assert page.inner_text("#complaint") == ""


def test_buttons_and_keys(page):
    page.locator("#one").click()
    assert page.evaluate("racers.a.t") == 1
    page.locator("#epoch").click()
    assert page.evaluate("racers.a.t") == 15
    page.locator("h1").click()
    page.keyboard.press("r")
    assert page.evaluate("racers.a.t") == 0
    page.keyboard.press("Space")
    page.wait_for_function("racers.a.epoch > 3")
    assert page.inner_text("#play") == "Pause"
    page.keyboard.press("Space")
    page.wait_for_function("!running")
    page.get_by_role("button", name="Add a layer").first.click()
    assert page.evaluate("racers.a.sizes") == [2, 8, 8, 8, 2]


def test_a_unit_s_own_surface(page):
    page.evaluate("once(300)")
    answer = settled(page).evaluate("document.querySelector('.surface').toDataURL()")
    page.get_by_role("button", name="unit 1 of layer 1").focus()
    assert settled(page).inner_text("#panel-a .what") == "Unit 1 of layer 1"
    assert page.evaluate("document.querySelector('.surface').toDataURL()") != answer


def test_numbers_that_run_away_are_told(page):
    changed(page, a_optimizer="sgd", a_learning_rate=100, a_weight_decay=1)
    page.evaluate("once(2000)")
    assert re.match(r"Diverged in epoch \d+, step \d+: the numbers are no", settled(page).inner_text("#panel-a .says"))
    assert page.locator("#play").is_disabled()


# The lessons


@pytest.fixture
def lesson(page):
    """What comes of a lesson: the histories of A and B, their gradients' norms at first, their dead units by layer."""

    def take(title):
        link = page.locator(".lesson", has_text=title).locator("a").first
        link.click()
        page.wait_for_function("running")
        page.evaluate("play(false)")
        norms = page.evaluate(
            "['a', 'b'].map((letter) => { racers[letter].take(); return racers[letter].gradientNorms(); })"
        )
        page.evaluate("train(1e9); ['a', 'b'].forEach((letter) => racers[letter].record())")
        dead = "['a', 'b'].map((l) => Object.values(racers[l].dead()).map((all) => all.filter(Boolean).length))"
        return history(page, "a"), history(page, "b"), norms, page.evaluate(dead)

    return take


def test_there_are_six_lessons(page):
    assert page.locator(".lesson a").count() == len(toy.LESSONS) == 6


def test_vanishing_gradients(lesson):
    a, b, (norms, others), _ = lesson("Vanishing gradients")
    assert norms[0] < norms[-1] / 1000
    assert others[0] > others[-1] / 10
    assert a[-1]["loss"] > 0.65
    assert b[-1]["accuracy"] == 1


def test_dead_units(lesson):
    a, b, _, (dead, others) = lesson("Dead units")
    assert dead[-1] == 8
    assert sum(others) == 0
    assert a[-1]["accuracy"] < 0.6
    assert b[-1]["accuracy"] == 1


def test_zeros(lesson, page):
    a, b, *_ = lesson("Zeros")
    assert page.evaluate("new Set(racers.a.surface.H[1].subarray(0, 8)).size") == 1
    assert a[-1]["loss"] > 0.69
    assert b[-1]["accuracy"] > 0.98


def test_the_learning_rate(lesson, page):
    a, b, *_ = lesson("The learning rate")
    assert 0.5 < a[-1]["loss"] < a[0]["loss"]
    assert np.mean(np.diff([row["loss"] for row in b]) > 0) > 0.3
    assert trained(changed(page, **{"a.learning_rate": 0.3}))[-1]["accuracy"] == 1


def test_momentum_against_adam(lesson):
    a, b, *_ = lesson("Momentum against Adam")
    first = [next(row["epoch"] for row in rows if row["loss"] < 0.3) for rows in (a, b)]
    assert first[1] < first[0] / 2


def test_overfitting(lesson):
    a, b, *_ = lesson("Overfitting")
    assert a[-1]["loss"] < 0.1
    assert a[-1]["test_loss"] > 2 * min(row["test_loss"] for row in a)
    assert b[-1]["test_accuracy"] > a[-1]["test_accuracy"]
    assert b[-1]["loss"] > 0.4


# For whoever opens it


@pytest.mark.parametrize(
    ("width", "dark"),
    [
        (390, True),
        (1280, False),
        *(pytest.param(*other, marks=pytest.mark.slow) for other in ((390, False), (1280, True))),
    ],
)
def test_nothing_stands_in_anyone_s_way(width, dark, open_page, written):
    page = open_page(written, width=width, dark=dark)
    for race in (0, 1):
        changed(page, race=race, a_layers="16,16,16,16,16,16")
        page.evaluate("once(50)")
        violations = Axe().run(page).response["violations"]
        assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_size_of_the_file(written):
    assert written.stat().st_size < 400_000


@pytest.mark.slow
def test_speed(page):
    """Steps a second of 2-8-8-2, batch 10: 20,000 and more on a quiet machine, and a tenth of that on a busy one."""
    changed(page, epochs=100000)
    page.evaluate("train(20000)")
    took = page.evaluate("() => { const start = performance.now(); train(20000); return performance.now() - start; }")
    assert 20000 / (took / 1000) > 2000
