"""The blackboard: its numbers are those of the Python network, it explains them, and it can be edited and printed."""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from muslin import FeedForwardNeuralNetwork
from muslin.errors import InputError
from muslin.losses import one_hot
from muslin.network import Signals
from muslin.optimizers import PROVIDED, signature
from muslin.report import blackboard, formulas

CLOSE = 1e-12


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("blackboard") / "blackboard.html"
    blackboard.write(path)
    return path


@pytest.fixture
def page(written, open_page):
    return open_page(written)


def matrices(page):
    """Every matrix of the step, as the page has it."""
    all_ = page.evaluate("Object.entries(board.M).map(([key, m]) => [key, m.rows, m.columns, [...m.data]])")
    return {key: np.array(data).reshape((rows, columns), order="F") for key, rows, columns, data in all_}


def expected(M, activation="tanh", loss="cross_entropy", rule="momentum", learning_rate=0.1, decay=0.0, **own):
    """The same step by Python, from the numbers that the page begins with."""
    L = max(int(key[1:]) for key in M if re.fullmatch(r"W\d", key))
    sizes = [len(M["X"]), *(len(M[f"W{k}"]) for k in range(1, L + 1))]
    network = FeedForwardNeuralNetwork(sizes, activation, loss=loss, dtype=np.float64, engine="numpy")
    for k in range(1, L + 1):
        network.weights[k], network.biases[k] = M[f"W{k}"], M[f"b{k}"]
    s = Signals(sizes, M["X"].shape[1], np.float64)
    s.H[0][...] = M["X"]
    network.forward(s)
    network.backward(s, M["Y"])
    value = float(network.batch_loss(s, M["Y"])) / s.batch
    step = {"loss": np.array([[value]])}
    for k in range(1, L + 1):
        step |= {f"A{k}": s.A[k], f"H{k}": s.H[k], f"dA{k}": s.dA[k]}
        step |= {f"dW{k}": network.weight_gradients[k], f"db{k}": network.bias_gradients[k]}
        if k < L:
            step[f"dH{k}"] = s.dH[k]
    rule = FeedForwardNeuralNetwork.optimizers[rule]
    slots, scalars = signature(rule)
    scalars = {n: v for n, v in scalars.items() if n not in PROVIDED} | own
    now = {"learning_rate": learning_rate, "t": 1, "loss": value}
    now = {n: v for n, v in now.items() if n in signature(rule)[1]}
    for k in range(1, L + 1):
        for letter, theta, g in (("W", M[f"W{k}"], step[f"dW{k}"]), ("b", M[f"b{k}"], step[f"db{k}"])):
            g = g + (decay if letter == "W" and "weight_decay" not in signature(rule)[1] else 0) * theta
            more = {"weight_decay": decay if letter == "W" else 0.0} if "weight_decay" in signature(rule)[1] else {}
            new = rule(theta, g, *(np.zeros_like(theta) for _ in slots), **scalars, **now, **more)
            names = [f"{letter}{k}′", *(f"{slot}′ {letter}{k}" for slot in slots)]
            step |= zip(names, new if slots else [new], strict=True)
    return step


def the_same(page, **settings):
    M = matrices(page)
    step = expected(M, **settings)
    for key, ours in step.items():
        assert np.abs(M[key] - ours).max() < CLOSE, key
    assert set(M) - set(step) <= {"X", "Y", "losses", *(k for k in M if re.match(r"[Wb]\d$|\S+ [Wb]\d$", k))}


def test_every_matrix_of_the_step(page):
    the_same(page)
    M = matrices(page)
    assert [M[key].shape for key in ("X", "W1", "b1", "A2", "dW2")] == [(3, 3), (4, 3), (4, 1), (2, 3), (2, 4)]
    assert np.abs(M["W1"]).max() > 0.2
    assert M["losses"].mean() == pytest.approx(M["loss"][0, 0])
    np.testing.assert_array_equal(M["W1"], np.round(M["W1"], 1))


@pytest.mark.parametrize("optimizer", FeedForwardNeuralNetwork.optimizers)
def test_every_optimizer(optimizer, open_page, tmp_path):
    blackboard.write(tmp_path / "a.html", [3, 2], optimizer=optimizer, weight_decay=0.3, learning_rate=0.2)
    the_same(open_page(tmp_path / "a.html"), rule=optimizer, decay=0.3, learning_rate=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("loss", formulas.tables()["losses"])
@pytest.mark.parametrize("activation", FeedForwardNeuralNetwork.activations)
def test_every_activation_and_loss(activation, loss, open_page, tmp_path):
    blackboard.write(tmp_path / "a.html", [3, 5, 4, 2], activation=activation, loss=loss, batch=5, seed=3)
    the_same(open_page(tmp_path / "a.html"), activation=activation, loss=loss)


def test_iris_and_hyperparameters(open_page, tmp_path):
    blackboard.write(tmp_path / "a.html", data="iris", optimizer="adam", beta1=0.5, batch=6)
    page = open_page(tmp_path / "a.html")
    the_same(page, rule="adam", beta1=0.5)
    from sklearn.datasets import load_iris

    iris, M = load_iris(), matrices(page)
    rows = [int(np.flatnonzero((iris.data == x).all(axis=1))[0]) for x in M["X"].T]
    np.testing.assert_array_equal(M["Y"], one_hot(3, np.float64)[:, iris.target[rows]])


# Going through it


def places(page):
    return page.inner_text("#place")


def test_stage_by_stage_from_the_keyboard(page):
    assert places(page) == "1 of 17"
    assert page.inner_text("#equation") == "A⁽¹⁾ = W⁽¹⁾ X + b⁽¹⁾"
    titles = page.locator("#stages button").all_inner_texts()
    assert titles[:6] == ["A⁽¹⁾", "H⁽¹⁾", "A⁽²⁾", "Ŷ", "ℓ", "loss"]
    assert titles[6:13] == ["dA⁽²⁾", "dW⁽²⁾", "db⁽²⁾", "dH⁽¹⁾", "dA⁽¹⁾", "dW⁽¹⁾", "db⁽¹⁾"]
    for key, place in (("ArrowRight", 2), ("PageDown", 3), ("n", 4), ("ArrowLeft", 3), ("End", 17), ("Home", 1)):
        page.keyboard.press(key)
        assert places(page) == f"{place} of 17"
    board = page.locator("#all-back td")
    assert set(board.all_inner_texts()) == {"·"}
    page.locator("#stages button", has_text="dW⁽²⁾").click()
    shown = board.all_inner_texts()
    assert "·" in shown
    assert len(set(shown)) > 5
    page.keyboard.press("a")
    assert "·" not in page.locator("#board td").all_inner_texts()


def cell(page, key, i, j, where="#row"):
    return page.locator(f"{where} td[data-key='{key}'][data-i='{i}'][data-j='{j}']").first


def test_a_number_shows_the_row_and_column_that_made_it(page):
    M = matrices(page)
    cell(page, "A1", 2, 1).hover()
    assert page.inner_text("#which") == "A⁽¹⁾, row 3, column 2"
    sources = page.locator("#row td.from").evaluate_all(
        "(all) => all.map((td) => [td.dataset.key, td.dataset.i, td.dataset.j])"
    )
    assert sorted(sources) == sorted(
        [["W1", "2", str(c)] for c in range(3)] + [["X", str(c), "1"] for c in range(3)] + [["b1", "2", "0"]]
    )
    left, right = page.inner_text("#arithmetic").replace("−", "-").replace("·", "*").split(" = ")
    assert eval(left) == pytest.approx(M["A1"][2, 1], abs=1e-9)
    assert float(right) == pytest.approx(M["A1"][2, 1], abs=6e-4)


@pytest.mark.parametrize("key", ["A2", "H1", "H2", "loss", "dA2", "dW2", "db2", "dH1", "dA1", "dW1"])
def test_the_arithmetic_gives_the_number(key, page):
    """What the page says of the first number of each kind, computed by Python."""
    M = matrices(page)
    page.evaluate("(key) => { go(makerOf(key)); chosen = { key, i: 0, j: 0 }; $('digits').value = 9; refresh(); }", key)
    from math import exp, tanh

    lines = [
        line.replace("−", "-").replace("·", "*").replace("^", "**")
        for line in page.locator("#arithmetic li").all_inner_texts()
    ]
    left = lines[-1].split(" = ")[-2]
    assert eval(left, {"exp": exp, "tanh": tanh}) == pytest.approx(M[key][0, 0], abs=1e-7)


def test_a_rule_is_told_line_by_line(open_page, tmp_path):
    blackboard.write(tmp_path / "a.html", optimizer="adam")
    page = open_page(tmp_path / "a.html")
    M = matrices(page)
    page.evaluate("go(makerOf('W1′')); chosen = { key: 'W1′', i: 1, j: 2 }; $('digits').value = 6; refresh()")
    lines = dict(line.split(" = ", 1) for line in page.locator("#arithmetic li").all_inner_texts())
    assert list(lines) == ["m", "v", "m_hat", "v_hat", "theta"]
    values = {name: float(text.split(" = ")[-1].replace("−", "-")) for name, text in lines.items()}
    assert values["m"] == pytest.approx(M["m′ W1"][1, 2], abs=1e-6)
    assert values["theta"] == pytest.approx(M["W1′"][1, 2], abs=1e-6)
    assert "def adam(theta, g, m, v," in page.inner_text("#python")
    assert "function adam(" in page.inner_text("#javascript")


# Editing


def test_an_edited_weight_moves_all_that_follows(page):
    before = matrices(page)
    cell(page, "W1", 1, 2).click()
    page.locator("#value").fill("2.5")
    page.keyboard.press("Enter")
    M = matrices(page)
    assert M["W1"][1, 2] == 2.5
    the_same(page)
    moved = {key for key in M if not np.array_equal(M[key], before[key])}
    assert {"W1", "A1", "H1", "A2", "H2", "loss", "dW1", "W1′", "W2′"} <= moved
    assert not {"X", "Y", "W2", "b1"} & moved


def test_a_number_on_the_way_holds_until_it_is_undone(page):
    before = matrices(page)
    page.evaluate("go(1)")
    cell(page, "H1", 0, 0).click()
    page.keyboard.type("-1")
    page.keyboard.press("Enter")
    M = matrices(page)
    assert M["H1"][0, 0] == -1
    np.testing.assert_array_equal(M["A1"], before["A1"])
    np.testing.assert_allclose(M["A2"], M["W2"] @ M["H1"] + M["b2"], atol=CLOSE)
    np.testing.assert_allclose(M["dW2"], M["dA2"] @ M["H1"].T, atol=CLOSE)
    assert "you put it there" in page.inner_text("#arithmetic")
    page.locator("#undo").click()
    np.testing.assert_array_equal(matrices(page)["A2"], before["A2"])


def test_what_is_no_number_is_not_taken(page):
    before = matrices(page)
    cell(page, "W1", 0, 0).click()
    page.locator("#value").fill("two")
    page.keyboard.press("Enter")
    assert page.locator("#value").get_attribute("aria-invalid") == "true"
    np.testing.assert_array_equal(matrices(page)["W1"], before["W1"])


def test_step_after_step_is_training(page):
    first = matrices(page)
    for _ in range(3):
        page.locator("#take").click()
    M = matrices(page)
    assert page.inner_text("#turn") == "Step t = 4"
    assert M["loss"][0, 0] < first["loss"][0, 0]
    network = FeedForwardNeuralNetwork([3, 4, 2], "tanh", dtype=np.float64, engine="numpy")
    for k in (1, 2):
        network.weights[k], network.biases[k] = first[f"W{k}"], first[f"b{k}"]
    network.fit(
        first["X"].T.copy(),
        first["Y"].argmax(axis=0),
        optimizer="momentum",
        learning_rate=0.1,
        epochs=3,
        batch_size=3,
        shuffle=False,
    )
    assert np.abs(M["W1"] - network.weights[1]).max() < CLOSE
    page.locator("#again").click()
    np.testing.assert_array_equal(matrices(page)["W1"], first["W1"])


# Other settings, and the address


def test_settings_and_the_address(page, open_page):
    for name, value in (("activation", "gelu"), ("optimizer", "adagrad"), ("loss", "mean_squared_error")):
        page.locator(f"[name={name}]").select_option(value)
    page.locator("[name=sizes]").fill("2,3,3,4")
    page.locator("[name=sizes]").press("Enter")
    page.locator("[name=learning_rate]").fill("0.4")
    page.locator("[name=learning_rate]").press("Enter")
    settings = {"activation": "gelu", "rule": "adagrad", "loss": "mean_squared_error", "learning_rate": 0.4}
    the_same(page, **settings)
    other = open_page(page.url.removeprefix("file://"))
    for key, M in matrices(page).items():
        np.testing.assert_array_equal(matrices(other)[key], M)


def test_settings_that_cannot_be(page):
    before = matrices(page)
    for name, text, sentence in (
        ("sizes", "3,400,2", "Sizes are whole numbers from 1 to 10"),
        ("batch", "1.5", "The batch is 1 to 10 samples."),
        ("learning_rate", "fast", "The learning rate is a number from 0."),
        ("momentum", "1", "momentum is a number from 0, below 1."),
    ):
        field = page.locator(f"[name={name}]")
        kept = field.input_value()
        field.fill(text)
        field.press("Enter")
        assert sentence in page.inner_text("#complaint")
        field.fill(kept)
        field.press("Enter")
        assert page.inner_text("#complaint") == ""
    np.testing.assert_array_equal(matrices(page)["A1"], before["A1"])


def test_an_address_that_cannot_be(written, open_page):
    page = open_page(f"{written}#activation=nothing")
    assert "There is no activation “nothing” in this page. The page shows what it was made with." in page.inner_text(
        "#complaint"
    )
    the_same(page)


# On paper


def sheets(page, **fields):
    for name, value in fields.items():
        page.locator(f"#{name}").fill(str(value))
    page.evaluate("laySheets()")
    return page.evaluate(
        """() => [...document.querySelectorAll(".sheet")].map((sheet) => ({
          number: Number(sheet.dataset.number), title: sheet.querySelector("h2").textContent,
          blank: [...sheet.querySelectorAll("td.blank")].map((td) => td.textContent),
          cells: [...sheet.querySelectorAll("td")].map((td) => td.textContent),
        }))"""
    )


def test_worksheets_with_their_solutions(page):
    first, solved, second, _ = sheets(page, first=7, many=2)
    assert [first["title"], solved["title"], second["title"]] == ["Worksheet 7", "Solution 7", "Worksheet 8"]
    assert set(first["blank"]) == {""}
    assert 20 < len(first["blank"]) < 80
    assert "" not in solved["cells"]
    assert len(first["blank"]) == len(solved["blank"])
    filled = iter(solved["blank"])
    assert [text or next(filled) for text in first["cells"]] == solved["cells"]
    assert first["cells"] != second["cells"]
    again = sheets(page, first=7, many=1)
    assert [again[0], again[1]] == [first, solved]
    the_same(page)  # the board itself is as it was


def test_a_worksheet_s_numbers_are_those_of_its_seed(written, open_page, page):
    other = open_page(f"{written}#seed=7")
    cells = sheets(page, first=7, many=1)[1]["cells"]
    loss = matrices(other)["loss"][0, 0]
    assert f"{loss:.3f}" in cells


@pytest.mark.parametrize("optimizer", ["momentum", pytest.param("adam", marks=pytest.mark.slow)])
def test_a_worksheet_and_its_solution_are_a_page_each(optimizer, open_page, tmp_path):
    blackboard.write(tmp_path / "a.html", optimizer=optimizer)
    open_page(tmp_path / "a.html").pdf(path=tmp_path / "sheet.pdf", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", (tmp_path / "sheet.pdf").read_bytes())) == 2


# For whoever opens it


@pytest.mark.parametrize(
    ("width", "dark"),
    [
        (390, False),
        (1280, True),
        *(pytest.param(*other, marks=pytest.mark.slow) for other in ((390, True), (1280, False))),
    ],
)
def test_nothing_stands_in_anyone_s_way(width, dark, open_page, written):
    page = open_page(written, width=width, dark=dark)
    for place in (0, 6, 16):
        page.evaluate("(n) => go(n)", place)
        violations = Axe().run(page).response["violations"]
        assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("b")
    assert page.locator("#board").is_hidden()
    assert page.locator("#row").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_size_of_the_file(written):
    assert written.stat().st_size < 400_000


# What cannot be


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"optimizer": "adm"}, "Unknown optimizer 'adm'"),
        ({"sizes": [3, 11, 2]}, "has room for 2 to 6 layers of 1 to 10 units"),
        ({"sizes": [3, 1]}, "the last has 2 or more"),
        ({"sizes": [3, 4, 2], "data": "xor"}, "must begin with 2 and end with 2"),
        ({"data": "fashion"}, "data is 'fashion'; it must be numbers, circles,"),
        ({"batch": 0}, "batch is 0; it must be 1 to 10 samples"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"beta1": 0.5}, "The optimizer momentum has no 'beta1'; it takes momentum."),
        ({"momentum": 1.0}, "momentum is 1.0; it must be a number from 0, below 1."),
    ],
)
def test_bad_input(settings, sentence, tmp_path):
    with pytest.raises(InputError, match=re.escape(sentence)):
        blackboard.write(tmp_path / "a.html", **settings)
    assert not (tmp_path / "a.html").exists()
