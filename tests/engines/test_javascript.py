"""What is translated to JavaScript, and what is refused by name. The rows' numbers: tests/pages/test_third_engine.py"""

import inspect
import math

import forms
import numpy as np
import pytest
from forms import _half as half_of_another

from muslin import FeedForwardNeuralNetwork
from muslin.engines import javascript
from muslin.errors import InputError
from muslin.report import formulas

SLOPE = 0.2


def helper(a):
    return np.log1p(np.exp(-np.abs(a))) + np.maximum(a, 0.0)


def softplus(a, *, sharpness=2.0):
    return helper(sharpness * a) / sharpness


def bent(a):
    return np.where((a > 0) & (a < 1), a, SLOPE * a) ** 2


def branch(epoch, epochs):
    if epoch < 2:
        return epoch / 2
    if epoch % 3 == 0:
        rest = epochs - epoch
    else:
        rest = max(epochs - epoch, 1)
        rest += 1
    return rest // 1 / epochs


def loop(epoch, epochs):
    while epoch > 1:
        epoch = epoch - 1
    return epoch


def unwrapped(a):
    return np.unwrap(a)


def matrix(a):
    return a @ a


def sliced(a):
    return a[0]


def named(a):
    return np.clip(a, min=0)


def more(a):
    return np.maximum(a, 0, a)


def booleans(a):
    return (a > 0) + (a < 1)


def text(a):
    return np.where(a > 0, "yes", "no")


def unknown(a):
    return np.no_such_thing(a)


def everything(*arguments):
    return arguments


def outer():
    factor = 3

    def inner(a):
        return factor * a

    return inner


def in_place(a):
    a *= 0.5
    return a


def through_another_name(a):
    h = a
    h += 1.0
    return h * a


def printed(a):
    print(a)
    return a


def into_an_element(a):
    b = 2 * a
    b[0] = 1
    return b


def turned(a):
    return ~a


def among(a):
    return a in (0, 1)


def _half(a):
    return a / 2


def two_of_one_name(a):
    return _half(a) + half_of_another(a)


REFUSED = {
    printed: r"it has no JavaScript for print\(a\)",
    into_an_element: r"it has no JavaScript for an assignment to b\[0\]",
    turned: "it has no JavaScript for ~a",
    among: r"it has no JavaScript for a in \(0, 1\)",
    two_of_one_name: "it calls two functions that are named _half",
    in_place: "it changes a in place",
    through_another_name: "it changes h in place",
    unwrapped: "np.unwrap has no JavaScript",
    matrix: "it has no JavaScript for a @ a",
    sliced: r"it has no JavaScript for a\[0\]",
    named: "named arguments of np.clip",
    more: "more or fewer arguments than one element needs",
    booleans: "it has no JavaScript for",
    text: "'yes' is no number",
    unknown: "np.no_such_thing is not known where the formula stands",
    loop: "it has no JavaScript for while epoch > 1",
    everything: "plain arguments without defaults",
    outer(): "variables of the function around it",
    np.cbrt: "the formula is no plain function",
}


@pytest.mark.parametrize("formula", REFUSED, ids=lambda formula: formula.__name__)
def test_what_cannot_be_translated_is_named(formula):
    with pytest.raises(ValueError, match=REFUSED[formula]):
        javascript.function(formula)


@pytest.fixture(scope="module")
def run(chromium):
    """Runs a translated function: run(text, arguments…)."""
    page = chromium.new_page()
    yield lambda text, *given: page.evaluate(
        f"(given) => {{ {javascript.PRELUDE} return ({text})(...given); }}", list(given)
    )
    page.close()


def helped_twice(a):
    return helper(a) - helper(-a)


def with_what_does_nothing(a):
    scale: float = 2.0
    pass  # noqa: PIE790
    return scale * a * True


@pytest.mark.parametrize("a", [-3.0, -0.5, 0.0, 0.4, 1.0, 7.0])
@pytest.mark.parametrize(
    "formula", [softplus, bent, helper, helped_twice, with_what_does_nothing], ids=lambda formula: formula.__name__
)
def test_helpers_defaults_and_constants_of_the_module(formula, a, run):
    assert run(javascript.function(formula), a) == pytest.approx(float(formula(a)), rel=1e-12, abs=1e-15)


def phases(epoch, epochs):
    last = None
    if epoch < 2 or (epoch > 4 and epochs - epoch > 1):
        last = epoch / 2
    return 1 if last is None else last


@pytest.mark.parametrize("epoch", [0.5, 2.0, 3.0, 4.25, 6.0, 6.75])
def test_branches_of_a_schedule(epoch, run):
    assert run(javascript.schedule(phases), epoch, 7.0) == phases(epoch, 7.0)
    assert run(javascript.schedule(branch), epoch, 7.0) == pytest.approx(branch(epoch, 7.0), rel=1e-12)


def precedence(a, b, c):
    return -(a**2) + (a - (b - c)) * b / (c / (a * b)) - a ** (b**c) + (a if a > b else c) - (not a > b) + a % -c


def test_precedence_is_python_s(run):
    for given in ((2.0, 1.5, 1.1), (1.1, 2.0, -1.5), (3.0, -2.0, 2.0)):
        assert run(javascript.function(precedence), *given) == pytest.approx(precedence(*given), rel=1e-12)


def reserved(new, let):
    this = new * math.pi
    return this + let


def test_names_that_javascript_reserves(run):
    assert run(javascript.function(reserved), 1.0, 2.0) == pytest.approx(math.pi + 2)


# Optimizers


def lonely(theta):
    return theta


def too_few(theta, g, m, *, learning_rate):
    return theta - learning_rate * g, m, m


def of_a_kind(theta, g, *, learning_rate, kind="fast"):
    return theta - learning_rate * g


def alternating(theta, g, m, *, learning_rate, t, start=2):
    m = m + g * (learning_rate / t)
    if t > start:
        return theta - m, m
    else:  # noqa: RET505
        return theta - g * (learning_rate / t), m


def switching(theta, g, m, *, learning_rate, t, start=2):
    rate = 1.0 * learning_rate
    if t > start:
        rate = learning_rate / t
        m += g
    return theta - rate * (g + m), m


def test_a_rule_must_fit_its_slots():
    with pytest.raises(ValueError, match="takes theta and g"):
        javascript.rule(lonely)
    with pytest.raises(ValueError, match="returns 3 values for theta and 1 slots"):
        javascript.rule(too_few)
    with pytest.raises(ValueError, match="a default of a scalar is no number"):
        javascript.rule(of_a_kind)


@pytest.mark.parametrize("rule", [switching, alternating])
def test_a_rule_with_branches(rule, run):
    text = f"""(theta, G, scalars) => {{
      const update = {javascript.rule(rule)}, m = [0, 0];
      scalars.forEach((s) => update(theta, G, [m], s, 0, 0, 2));
      return [theta, m];
    }}"""
    theta, m, g = np.array([1.0, -2.0]), np.zeros(2), np.array([0.5, 0.25])
    steps = [{"learning_rate": 0.1, "t": t, "start": 2} for t in range(1, 6)]
    theirs = run(text, theta.tolist(), g.tolist(), steps)
    for step in steps:
        theta, m = rule(theta, g, m, **step)
    np.testing.assert_allclose(theirs, [theta, m], rtol=1e-12)


# Losses: columns


def hinge(log_Y_hat, Y_hat, Y):
    return np.sum(np.maximum(0.0, 1.0 - Y * Y_hat)) / 2.0 - np.vdot(Y, log_Y_hat)


def spread(Y_hat, Y):
    mean = np.mean(Y_hat, axis=0)
    E = (Y_hat - mean) / np.max(np.abs(Y_hat), axis=0, keepdims=True)
    E = E * E.sum(axis=0) + Y.shape[0]
    return E - np.minimum.reduce(E, axis=0)


def shares(Y_hat, Y):
    """Of each column the sum is taken twice, and what is made of it has a name."""
    whole = 2.0
    scale = times(whole) * np.sum(np.abs(Y_hat), axis=0)
    return (Y_hat + 0.5 * np.sum(np.abs(Y_hat), axis=0)) / scale - Y


def times(x, *, factor=1.5):
    return factor * x


def largest(log_Y_hat, Y_hat, Y):
    return np.max(Y_hat)


def sum_of_sums(Y_hat, Y):
    return Y_hat - np.sum(np.sum(Y_hat, axis=0), axis=0)


def sum_of_a_number(log_Y_hat, Y_hat, Y):
    return np.sum(3.0)


def by_name(Y_hat, Y):
    return scaled(Y_hat - Y, factor=2.0)


def scaled(E, factor):
    return factor * E


def in_need(Y_hat, Y, *, factor):
    return factor * (Y_hat - Y)


def silent(Y_hat, Y):
    """It is not written yet."""


def terms(log_Y_hat, Y_hat, Y):
    return -Y * log_Y_hat


def rooted(log_Y_hat, Y_hat, Y):
    return np.sqrt(np.vdot(Y, Y_hat))


def by_row(Y_hat, Y):
    return Y_hat - np.sum(Y_hat, axis=1)


def test_sums_within_columns_and_over_the_batch(run):
    rng = np.random.default_rng(0)
    log_Y_hat, Y_hat, Y = rng.normal(0, 1, (3, 4, 5))
    flat = [X.ravel(order="F").tolist() for X in (log_Y_hat, Y_hat, Y)]
    total = (
        f"(a, b, c) => [0, 4, 8, 12, 16].reduce((all, at) => all + ({javascript.columns(hinge)})(4, at, a, b, c), 0)"
    )
    assert run(total, *flat) == pytest.approx(float(hinge(log_Y_hat, Y_hat, Y)), rel=1e-12)
    first = f"(a, b, c) => ({javascript.columns(terms, total=True)})(4, 4, a, b, c)"
    assert run(first, *flat) == pytest.approx(-(Y * log_Y_hat)[:, 1].sum(), rel=1e-12)
    for slope in spread, shares:
        delta = f"""(b, c) => {{
          const out = [];
          for (const at of [0, 4, 8, 12, 16]) ({javascript.columns(slope)})(4, at, b, c, out);
          return out;
        }}"""
        np.testing.assert_allclose(run(delta, *flat[1:]), slope(Y_hat, Y).ravel(order="F"), rtol=1e-12)


def lonely_number(Y_hat, Y):
    return np.sum(Y_hat, axis=0)


NO_COLUMNS = {
    rooted: "is not the sum of what its columns give",
    largest: r"np.max\(Y_hat\) is not the sum of what its columns give",
    by_row: r"it has no JavaScript for np.sum",
    by_name: r"it has no JavaScript for scaled\(Y_hat - Y, factor=2.0\)",
    sum_of_sums: "reduces what is no column",
    sum_of_a_number: "a sum of what is the same in every column",
    lonely_number: "neither columns nor a sum",
    in_need: "it needs the named argument factor",
    silent: "it returns nothing",
}


@pytest.mark.parametrize("formula", NO_COLUMNS, ids=lambda formula: formula.__name__)
def test_what_is_no_sum_of_its_columns_is_refused(formula):
    with pytest.raises(ValueError, match=NO_COLUMNS[formula]):
        javascript.columns(formula)


def test_a_formula_is_shown_line_by_line_where_it_is_a_straight_one():
    assert javascript.lines(reserved) == [
        ("this", "new * math.pi", "($) => $.new * Math.PI"),
        ("", "this + let", "($) => $.this + $.let"),
    ]
    assert javascript.lines(branch) is None
    assert javascript.lines(helped_twice) is None


# Initializers


def orthogonal(rng, n_out, n_in):
    return np.linalg.qr(rng.standard_normal((n_out, n_in)))[0]


def geometric(rng, n_out, n_in):
    return rng.geometric(0.5, (n_out, n_in))


def lecun(rng, n_out, n_in):
    scale = np.sqrt(1.0 / n_in)
    return rng.normal(0.0, scale, size=(n_out, n_in)) + 0.1 * rng.random((n_out, n_in))


def test_initializers(run):
    text = f"(n, m) => ({javascript.initializer(lecun)})({{ normal: (mean, s) => mean + s, random: () => 0.5 }}, n, m)"
    assert run(text, 3, 4) == pytest.approx(0.55)
    with pytest.raises(ValueError, match=r"it has no JavaScript for np.linalg.qr"):
        javascript.initializer(orthogonal)
    with pytest.raises(ValueError, match=r"rng.geometric has no JavaScript"):
        javascript.initializer(geometric)


# Formulas in the many forms in which people write them: the same numbers, or refused

KINDS = {("P", "Y"): "delta", ("log_P", "P", "Y"): "loss", ("a",): "activation", ("a", "h"): "slope"}


def kind_of(formula):
    names = tuple(p.name for p in inspect.signature(formula).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD)
    return "rule" if names[:2] == ("theta", "g") else KINDS.get(names)


def own_forms():
    functions = [f for f in vars(forms).values() if inspect.isfunction(f) and f.__module__ == "forms"]
    return [f for f in functions if not f.__name__.startswith("_") and kind_of(f)]


def flat(X):
    return np.asarray(X, float).ravel(order="F").tolist()


def columns_of(text, arrays):
    return (
        f"""(arrays) => {{
      const out = [];
      let total = 0;
      for (let at = 0; at < 64; at += 4) total += ({text})(4, at, ...arrays, out);
      return out.length ? out : total;
    }}""",
        [[flat(X) for X in arrays]],
    )


def translated(formula, kind):
    """(JavaScript that gives what the formula gives, what it is called with, what Python gives)."""
    rng = np.random.default_rng(0)
    A, theta, g = rng.normal(0, 1, (4, 16)), rng.normal(0, 1, 8), rng.normal(0, 1, 8)
    P, Y = np.exp(A) / np.exp(A).sum(axis=0), np.eye(4)[:, np.arange(16) % 4]
    if kind == "delta":
        return *columns_of(javascript.columns(formula), (P, Y)), flat(np.broadcast_to(formula(P, Y), P.shape))
    if kind == "loss":
        text = javascript.columns(formula, total=True)
        return *columns_of(text, (np.log(P), P, Y)), [float(np.sum(formula(np.log(P), P, Y)))]
    if kind in ("activation", "slope"):
        arguments = [A] * (1 if kind == "activation" else 2)
        text = f"(A) => A.map((a) => Number(({javascript.function(formula)})(a, a)))"
        return text, [flat(A)], flat(np.broadcast_to(formula(*arguments), A.shape))
    rule = javascript.Rule(formula)
    slots = [np.abs(rng.normal(0, 1, 8)) for _ in rule.slots]
    scalars = {n: {"t": 3, "loss": 1.5}.get(n, 0.1) if v is None else v for n, v in rule.scalars.items()}
    call = f"({rule.text()})(theta, g, slots, scalars, 0, 0, 8)"
    text = f"(theta, g, slots, scalars) => {{ {call}; return [theta, ...slots]; }}"
    given = [theta.tolist(), g.tolist(), [x.tolist() for x in slots], scalars]
    new = formula(theta, g, *slots, **scalars)
    return text, given, [np.broadcast_to(x, 8) for x in (new if slots else [new])]


@pytest.mark.parametrize("formula", own_forms(), ids=lambda formula: formula.__name__)
def test_the_same_numbers_or_refused(formula, run):
    try:
        text, given, ours = translated(formula, kind_of(formula))
    except ValueError:
        return
    theirs = np.asarray(run(text, *given), float)
    np.testing.assert_allclose(theirs, np.reshape(ours, theirs.shape), rtol=1e-12, atol=1e-14)


# Tables


def test_a_page_names_what_it_has_not(monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.activations, "odd", (unwrapped, unwrapped))
    assert formulas.missing() == ["The activation odd is not in the page: np.unwrap has no JavaScript."]
    assert "odd" not in formulas.translated("activations")
    with pytest.raises(InputError, match=r"The activation odd cannot be translated to JavaScript: np.unwrap has no"):
        formulas.checked("activations", "odd")
    with pytest.raises(InputError, match="Unknown activation 'even'"):
        formulas.checked("activations", "even")


def closing(a):
    """</script><!--<script>"""
    return a


def test_source_texts_do_not_end_the_script(monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.activations, "closing", (closing, closing))
    text, _ = formulas.program()
    assert "closing" in text
    assert "</" not in text
    assert "<!--" not in text
