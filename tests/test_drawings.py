"""What notebooks show of a network, a history and a sweep: well-formed, escaped, without a script."""

from xml.etree import ElementTree

from muslin import FeedForwardNeuralNetwork, drawings
from muslin.training import History

SVG = "{http://www.w3.org/2000/svg}"


def test_a_network_shows_its_units_and_weights():
    tree = ElementTree.fromstring(FeedForwardNeuralNetwork([3, 4, 2], "tanh")._repr_html_())
    assert len(tree.findall(f".//{SVG}circle")) == 3 + 4 + 2
    assert len(tree.findall(f".//{SVG}line")) == 3 * 4 + 4 * 2
    assert [text.text for text in tree.iter(f"{SVG}text")] == ["3", "inputs", "4", "tanh", "2", "softmax"]


def test_a_wide_layer_is_cut():
    tree = ElementTree.fromstring(FeedForwardNeuralNetwork([784, 2])._repr_html_())
    assert len(tree.findall(f".//{SVG}circle")) == drawings.DRAWN + 2


def test_a_history_shows_its_curves():
    history = History(
        [{"loss": 2.0, "val_loss": 3.0, "accuracy": 0.5}, {"loss": 1.0, "val_loss": 2.0, "accuracy": 1.0}]
    )
    lines = list(ElementTree.fromstring(history._repr_html_()).iter(f"{SVG}polyline"))
    points = [[tuple(map(float, p.split(","))) for p in line.get("points").split()] for line in lines]
    assert points[0] == [(52, 90), (300, 150)]  # of 1…3 on 120: half-way, then at the bottom
    assert points[1] == [(52, 30), (300, 90)]
    assert len(points) == 3


def test_values_that_are_not_finite_are_left_out():
    history = History([{"loss": 1.0}, {"loss": float("nan")}, {"loss": float("inf")}])
    assert "nan" not in history._repr_html_()
    ElementTree.fromstring(History()._repr_html_())
    ElementTree.fromstring(History([{"loss": float("nan")}])._repr_html_())


def test_names_with_markup_stay_text():
    html = drawings.network([1, 1], ["<script>", '"&'], "<b onload=x>\"'")
    assert [text.text for text in ElementTree.fromstring(html).iter(f"{SVG}text")][1::2] == ["<script>", '"&']
    assert "<script" not in html
    assert "<b " not in html
