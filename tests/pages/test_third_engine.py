"""One formula, three engines: what a page computes is what Python computes, for every row of every table."""

import ast
import importlib.util
import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork, schedules
from muslin.activations import log_softmax
from muslin.engines import javascript
from muslin.engines.formula import ParsedFormula
from muslin.losses import one_hot
from muslin.network import Signals
from muslin.optimizers import PROVIDED, signature
from muslin.report import formulas, pages

ROOT = Path(__file__).parents[2]
ENGINE = (Path(pages.__file__).parent / "assets" / "engine.js").read_text(encoding="utf-8")
N = 10_000
VALUES = np.concatenate([np.random.default_rng(0).normal(0, 3, N - 8), [0, 1e-300, -1e-300, 1e-9, -40, 40, -800, 800]])
#: relative to the value where it is above 1
CLOSE, CLOSE_AFTER_TRAINING = 1e-12, 1e-9


def eve():
    """The optimizer that docs/extending.md adds."""
    text = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(encoding="utf-8"), re.DOTALL)[
        0
    ]
    return text.partition("FeedForwardNeuralNetwork.optimizers")[0]


@pytest.fixture(scope="module", autouse=True)
def own_rows(tmp_path_factory):
    """Eve among the optimizers, as its reader adds it."""
    path = tmp_path_factory.mktemp("eve") / "eve_of_readme.py"
    path.write_text(eve(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("eve_of_readme", path)
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FeedForwardNeuralNetwork.optimizers, "eve", module.eve)
        yield


@pytest.fixture(scope="module")
def call(chromium):
    """call(text of a function, its argument) in a page with the formulas; as JSON, which is quick with many numbers."""
    page = chromium.new_page()
    page.add_script_tag(content=formulas.program()[0] + ENGINE)
    yield lambda text, given: json.loads(
        page.evaluate(f"(given) => JSON.stringify(({text})(JSON.parse(given)))", json.dumps(given))
    )
    page.close()


def difference(theirs, ours):
    """The largest difference, relative where the number is above 1."""
    theirs, ours = np.asarray(theirs, float), np.broadcast_to(ours, np.shape(theirs))
    assert np.isfinite(theirs).all()
    return (np.abs(theirs - ours) / np.maximum(1, np.abs(ours))).max()


def by_column(array):
    return np.asarray(array).ravel(order="F").tolist()


def test_every_row_of_every_table_is_translated():
    assert formulas.program()[1] == {}
    assert formulas.missing() == []


# Formula by formula


@pytest.mark.parametrize("name", FeedForwardNeuralNetwork.activations)
def test_activations_and_slopes(name, call):
    f, slope = FeedForwardNeuralNetwork.activations[name]
    given = [name, VALUES.tolist(), f(VALUES).tolist()]
    theirs = call("([name, a]) => a.map(formulas.activations[name].f)", given)
    assert difference(theirs, f(VALUES)) < CLOSE
    theirs = call("([name, a, h]) => a.map((x, i) => formulas.activations[name].slope(x, h[i]))", given)
    assert difference(theirs, slope(VALUES, f(VALUES))) < CLOSE


COLUMNS = """([table, name, part, n, ...arrays]) => {
  const size = arrays[0].length, out = new Array(size), f = formulas[table][name][part];
  let total = 0;
  for (let at = 0; at < size; at += n) total += f(n, at, ...arrays, out);
  return Number.isNaN(total) ? out : total;
}"""


@pytest.mark.parametrize("name", formulas.tables()["losses"])
def test_losses_and_deltas(name, call):
    loss, delta = formulas.tables()["losses"][name]
    A = np.random.default_rng(1).normal(0, 5, (10, N // 10))
    log_Y_hat, Y = log_softmax(A), one_hot(10, np.float64, 0.1)[:, np.arange(N // 10) % 10]
    given = [by_column(X) for X in (log_Y_hat, np.exp(log_Y_hat), Y)]
    assert (
        difference(call(COLUMNS, ["losses", name, "f", 10, *given]), np.sum(loss(log_Y_hat, np.exp(log_Y_hat), Y)))
        < CLOSE
    )
    theirs = call(COLUMNS, ["losses", name, "delta", 10, *given[1:]])
    assert difference(theirs, by_column(delta(np.exp(log_Y_hat), Y))) < CLOSE


def test_log_softmax(call):
    A = VALUES.reshape(10, -1)
    theirs = call(COLUMNS, ["outputs", "log_softmax", "f", 10, by_column(A)])
    assert difference(theirs, by_column(log_softmax(A))) < CLOSE


UPDATE = """([name, theta, gradients, scalars]) => {
  const rule = formulas.optimizers[name], slots = rule.slots.map(() => new Array(theta.length).fill(0));
  gradients.forEach((g, n) => rule.update(theta, g, slots, { ...rule.scalars, ...scalars[n] }, 0, 0, theta.length));
  return [theta, ...slots];
}"""


@pytest.mark.parametrize("name", [*FeedForwardNeuralNetwork.optimizers, "eve"])
def test_rules(name, call):
    """Five steps of 10,000 parameters, with what a rule asks for."""
    rule, rng = FeedForwardNeuralNetwork.optimizers[name], np.random.default_rng(2)
    slots, asked = signature(rule)
    arrays = [rng.normal(0, 1, N), *(np.zeros(N) for _ in slots)]
    start, gradients = arrays[0].tolist(), rng.normal(0, 1, (5, N))
    steps = [{"learning_rate": 0.1 / t, "t": t, "loss": 1 + 1 / t, "weight_decay": 0.01} for t in range(1, 6)]
    steps = [{key: value for key, value in step.items() if key in asked} for step in steps]
    with np.errstate(divide="ignore"):
        for g, scalars in zip(gradients, steps, strict=True):
            defaults = {key: value for key, value in asked.items() if key not in PROVIDED}
            new = rule(arrays[0], g, *arrays[1:], **defaults, **scalars)
            arrays = [np.broadcast_to(x, N) for x in (new if slots else [new])]
    for theirs, ours in zip(call(UPDATE, [name, start, gradients.tolist(), steps]), arrays, strict=True):
        assert difference(theirs, ours) < CLOSE


class Fed:
    """A generator that gives the numbers that it is told."""

    def standard_normal(self, shape):
        return VALUES[: np.prod(shape)].reshape(shape)

    def uniform(self, low, high, shape):
        return low + (high - low) * np.abs(np.sin(self.standard_normal(shape)))


DRAWN = """([name, values, n, m]) => {
  let at = 0;
  const rng = {
    standard_normal: () => values[at++],
    uniform: (low, high) => low + (high - low) * Math.abs(Math.sin(values[at++])),
  };
  return values.slice(0, n * m).map(() => formulas.initializers[name].draw(rng, n, m));
}"""


@pytest.mark.parametrize("name", FeedForwardNeuralNetwork.initializers)
def test_initializers(name, call):
    for n, m in ((100, 100), (1, 784), (3, 2)):
        ours = FeedForwardNeuralNetwork.initializers[name](Fed(), n, m)
        assert difference(call(DRAWN, [name, VALUES.tolist(), n, m]), ours.ravel()) < CLOSE


@pytest.mark.parametrize("name", schedules.SCHEDULES)
def test_schedules(name, call):
    epochs = np.linspace(0, 7, N)
    text = """([name, warmup, epochs]) => {
      const factor = formulas.helpers.warm_up.f(formulas.schedules[name].factor, warmup);
      return epochs.map((epoch) => factor(epoch, 7));
    }"""
    for warmup in (0, 1.5):
        ours = [schedules.warm_up(schedules.SCHEDULES[name], warmup)(epoch, 7) for epoch in epochs]
        assert difference(call(text, [name, warmup, epochs.tolist()]), ours) < CLOSE


# Whole trainings: 200 steps in the order of the data

TRAIN = """([sizes, theta, X, y, kind, settings, learning_rate, schedule, epochs, batch]) => {
  const net = new Network({ sizes, ...kind }, Float64Array.from(theta)), all = Uint32Array.from(y.keys());
  const step = new Step(net, Float64Array.from(X), y, settings), steps = y.length / batch, losses = [];
  for (let t = 0; t < steps * epochs; t++) {
    const at = (t % steps) * batch, factor = formulas.schedules[schedule].factor((t + 0.5) / steps, epochs);
    losses.push(step.take(all.subarray(at, at + batch), learning_rate * factor));
  }
  return [[...net.theta], losses];
}"""


def trained(call, activation="tanh", loss="cross_entropy", optimizer="adam", schedule="constant", **settings):
    """(θ, losses of the epochs) after 200 steps, of the page and of Python."""
    rng = np.random.default_rng(3)
    X, y = rng.normal(0, 1, (100, 3)), np.arange(100) % 4
    X[:, 0] += y
    kind, rate = {"activation": activation, "loss": loss}, settings.pop("learning_rate", 0.02)
    network = FeedForwardNeuralNetwork([3, 8, 6, 4], **kind, initializer="xavier", dtype=np.float64, engine="numpy")
    given = [
        network.sizes,
        network.theta.tolist(),
        X.ravel().tolist(),
        y.tolist(),
        kind,
        {"optimizer": optimizer} | settings,
    ]
    theta, losses = call(TRAIN, [*given, rate, schedule, 20, 10])
    history = network.fit(
        X,
        y,
        optimizer=optimizer,
        learning_rate=rate,
        schedule=schedule,
        epochs=20,
        batch_size=10,
        shuffle=False,
        **settings,
    )
    return theta, np.reshape(losses, (20, 10)).mean(axis=1), network.theta, history["loss"], given[1]


def the_same(call, **settings):
    theirs, losses, ours, history, start = trained(call, **settings)
    assert difference(theirs, ours) < CLOSE_AFTER_TRAINING
    assert difference(losses, history) < CLOSE_AFTER_TRAINING
    assert difference(start, ours) > 1e-3  # it went somewhere


@pytest.mark.parametrize("optimizer", [*FeedForwardNeuralNetwork.optimizers, "eve"])
def test_every_optimizer_trains_alike(optimizer, call):
    the_same(call, optimizer=optimizer)
    the_same(call, optimizer=optimizer, weight_decay=0.05)


@pytest.mark.parametrize("activation", FeedForwardNeuralNetwork.activations)
def test_every_activation_trains_alike(activation, call):
    the_same(call, activation=activation, optimizer="momentum")


@pytest.mark.parametrize("loss", formulas.tables()["losses"])
def test_every_loss_trains_alike(loss, call):
    the_same(call, loss=loss, optimizer="nag", learning_rate=0.1)


@pytest.mark.parametrize("schedule", schedules.SCHEDULES)
def test_every_schedule_trains_alike(schedule, call):
    the_same(call, schedule=schedule)


def test_clipping_and_hyperparameters_train_alike(call):
    the_same(call, optimizer="sgd", clip_norm=0.05, learning_rate=0.5)
    the_same(call, beta1=0.5, epsilon=1e-3)


def test_dropout_is_python_s(call):
    """Forward and backward with given masks."""
    network = FeedForwardNeuralNetwork([3, 5, 4, 2], "gelu", "xavier", dtype=np.float64, engine="numpy")
    rng = np.random.default_rng(4)
    s, Y = Signals(network.sizes, 6, np.float64, dropout=True), np.eye(2)[:, np.arange(6) % 2]
    s.H[0][...] = rng.normal(0, 1, (3, 6))
    for mask in s.masks.values():
        mask[...] = (rng.random(mask.shape) < 0.6) / 0.6
    network.forward(s)
    network.backward(s, Y)
    theirs = call(
        """([theta, X, masks, Y]) => {
          const kind = { sizes: [3, 5, 4, 2], activation: "gelu", loss: "cross_entropy" };
          const net = new Network(kind, Float64Array.from(theta));
          const s = new Signals(net.sizes, 6, true);
          s.H[0].set(X);
          masks.forEach((mask, k) => s.masks[k + 1].set(mask));
          net.forward(s);
          net.backward(s, Y);
          return [...net.gradient];
        }""",
        [network.theta.tolist(), by_column(s.H[0]), [by_column(m) for m in s.masks.values()], by_column(Y)],
    )
    assert difference(theirs, network.gradient) < CLOSE


def test_the_random_numbers_of_the_page(call):
    drawn = (
        "((seed) => { const r = new Random(seed); return Array.from({ length: 20000 }, () => r.standard_normal()); })"
    )
    x = np.array(call(drawn, 7))
    assert call(drawn, 7) == x.tolist()
    assert call(drawn, 8) != x.tolist()
    assert abs(x.mean()) < 0.03
    assert abs(x.std() - 1) < 0.03
    assert abs((x**4).mean() - 3) < 0.3
    mask = call(
        """() => {
          const net = new Network({ sizes: [2, 500, 2], activation: "tanh", loss: "cross_entropy" });
          const step = new Step(net, new Float64Array(20), new Array(10).fill(0), { optimizer: "sgd", dropout: 0.25 });
          step.take(Uint32Array.from([0, 1, 2, 3]), 0.1, new Random(1));
          return [...step.signals[4].s.masks[1]];
        }""",
        None,
    )
    assert {round(m, 12) for m in mask} == {0, round(4 / 3, 12)}
    assert abs(np.mean(mask) - 1) < 0.05


# What docs/one-formula.md shows


def test_the_page_of_the_documentation_shows_what_is_made():
    page = (ROOT / "docs" / "one-formula.md").read_text(encoding="utf-8")
    source, element = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    rule = FeedForwardNeuralNetwork.optimizers["rmsprop"]
    shown = ast.parse(source).body[0]
    assert ast.dump(shown) == ast.dump(bare(rule))
    assert element.strip() == ParsedFormula(rule).source.strip()
    assert re.findall(r"```js\n(.*?)```", page, re.DOTALL)[0].strip() == javascript.rule(rule)


def bare(formula):
    """The tree of a formula without docstring and type hints."""
    tree = ast.parse(inspect.getsource(formula)).body[0]
    tree.body, tree.returns = tree.body[1:], None
    for argument in (*tree.args.args, *tree.args.kwonlyargs):
        argument.annotation = None
    return tree


@pytest.mark.parametrize("page", ["blackboard.md", "one-formula.md"])
def test_links_of_the_documentation_lead_somewhere(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for path in re.findall(r"\]\(((?!http)[^)#]+)", text):
        assert (ROOT / "docs" / path).exists(), path
