"""Pictures of any kind become samples like those of the data set."""

import subprocess
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from muslin import FeedForwardNeuralNetwork, datasets
from muslin.datasets import images
from muslin.engines import blas
from muslin.errors import InputError

SHAPE = (28, 28)


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="module")
def network(digits):
    network = FeedForwardNeuralNetwork([784, 64, 10], engine="numpy")
    with blas.threads(1):
        network.fit(digits.X_train, digits.y_train, epochs=12, optimizer="nadam", learning_rate=0.002)
    return network


def enlarged(sample, scale=5):
    """The drawn strength, 0 … 1, of each pixel of a picture `scale` times as large."""
    size = (SHAPE[1] * scale, SHAPE[0] * scale)
    return np.asarray(Image.fromarray(sample.reshape(SHAPE)).resize(size, Image.Resampling.BICUBIC), float) / 255


def drawn(strength, paper, pen):
    """The strength as a picture in two colors, of one to four channels each."""
    strength, paper, pen = strength[..., None], np.atleast_1d(paper), np.atleast_1d(pen)
    return Image.fromarray(np.round(paper + (np.subtract(pen, paper)) * strength).astype(np.uint8).squeeze())


def transparent(strength, pen):
    return Image.fromarray(
        np.dstack([np.full(strength.shape, pen, np.uint8)] * 3 + [np.round(strength * 255).astype(np.uint8)])
    )


GRAIN = np.random.default_rng(0).uniform(0, 0.15, (260, 260))

#: how a digit is drawn → the picture, from the strength of its pixels
STYLES = {
    "white on black": lambda s: drawn(s, 0, 255),
    "black on white": lambda s: drawn(s, 255, 0),
    "grey on grey": lambda s: drawn(s, 180, 60),
    "faint": lambda s: drawn(s, 250, 190),
    "black on a dark ground": lambda s: drawn(s, 120, 0),
    "blue on yellow": lambda s: drawn(s, (255, 240, 80), (20, 30, 160)),
    "white on green": lambda s: drawn(s, (10, 90, 40), (250, 250, 250)),
    "black on nothing": lambda s: transparent(s, 0),
    "white on nothing": lambda s: transparent(s, 255),
    "one bit": lambda s: drawn(s, 255, 0).convert("1"),
    "on grainy paper": lambda s: drawn(np.clip(np.pad(s, 60) * 0.8 + GRAIN, 0, 1), 255, 0),
    "a palette": lambda s: drawn(s, (255, 240, 80), (20, 30, 160)).quantize(16),
    "in a corner of a sheet": lambda s: drawn(np.pad(s, ((0, 300), (200, 0))), 255, 0),
    "at the very edge": lambda s: drawn(s[np.ix_(s.any(axis=1), s.any(axis=0))], 255, 0),
    "smaller than the data set's": lambda s: drawn(s[2::5, 2::5][3:-3, 3:-3], 255, 0),
}


def likeness(a, b):
    """The correlation of two samples at the shift of up to two pixels at which it is largest."""
    a, b = a.reshape(SHAPE).astype(float), b.reshape(SHAPE).astype(float)
    shifts = [(i, j) for i in range(-2, 3) for j in range(-2, 3)]
    return max(np.corrcoef(np.roll(a, shift, (0, 1)).ravel(), b.ravel())[0, 1] for shift in shifts)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_digits_are_read_back_and_known(style, digits, network, tmp_path):
    samples, labels = digits.X_test[:20], digits.y_test[:20]
    read = []
    for sample in samples:
        style(enlarged(sample)).save(tmp_path / "a.png")
        read.append(images.read(tmp_path / "a.png", SHAPE))
    assert {(x.shape, x.dtype.name) for x in read} == {((784,), "uint8")}
    assert np.mean([likeness(x, sample) for x, sample in zip(read, samples, strict=True)]) > 0.95
    assert np.mean(network.predict(np.stack(read)) == labels) >= 0.75


@pytest.mark.parametrize("suffix", ["jpg", "gif", "bmp", "webp"])
def test_formats(suffix, digits, tmp_path):
    drawn(enlarged(digits.X_test[0]), 255, 0).save(tmp_path / f"a.{suffix}")
    assert likeness(images.read(tmp_path / f"a.{suffix}", SHAPE), digits.X_test[0]) > 0.85


def test_a_phone_s_picture_is_turned_upright(digits, tmp_path):
    picture, exif = drawn(enlarged(digits.X_test[0]), 255, 0), Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: turn it by 90° clockwise to see it
    picture.rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif)
    assert likeness(images.read(tmp_path / "a.jpg", SHAPE), digits.X_test[0]) > 0.85


def test_what_has_the_shape_is_taken_as_it_is(digits, tmp_path):
    for sample in digits.X_test[:20]:
        Image.fromarray(sample.reshape(SHAPE)).save(tmp_path / "a.png")
        np.testing.assert_array_equal(images.read(tmp_path / "a.png", SHAPE), sample)
        Image.fromarray(255 - sample.reshape(SHAPE)).save(tmp_path / "a.png")
        np.testing.assert_array_equal(images.read(tmp_path / "a.png", SHAPE), sample)


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (5, 5), (12, 20), (1, 9)])
@pytest.mark.parametrize("size", [(300, 200), (3, 90), (90, 3)])
def test_what_is_drawn_fills_the_frame_less_its_margin_and_lies_in_the_middle(shape, size, tmp_path):
    sheet = np.full((400, 500), 255, np.uint8)
    sheet[20 : 20 + size[0], 150 : 150 + size[1]] = 0
    Image.fromarray(sheet).save(tmp_path / "a.png")
    read = images.read(tmp_path / "a.png", shape).reshape(shape)
    margin = min(shape) // 7
    room, bright = np.array(shape) - 2 * margin, read > 127
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    extent = np.array([np.ptp(rows) + 1, np.ptp(columns) + 1])
    assert (extent <= room).all()
    assert (extent == room).any()
    assert abs(rows.mean() - (shape[0] - 1) / 2) <= 0.5
    assert abs(columns.mean() - (shape[1] - 1) / 2) <= 0.5


def test_no_margin(tmp_path):
    sheet = np.zeros((90, 90), np.uint8)
    sheet[10:50, 20:60] = 255
    Image.fromarray(sheet).save(tmp_path / "a.png")
    assert (images.read(tmp_path / "a.png", SHAPE, margin=0) > 200).all()


def test_digits_are_never_inverted(digits):
    for sample in digits.X_train.reshape(-1, *SHAPE):
        assert images.light_on_dark(sample) is sample


@pytest.mark.parametrize(
    ("bright", "inverted"),
    [
        (np.s_[2:26, 2:26], False),  # a pullover
        (np.s_[8:28, 0:28], True),  # light on three sides: taken for a dark thing on light
        (np.s_[15:28, 0:28], False),  # light on less than half of the border: a bag
        (np.s_[0:28, 4:24], False),  # a dress from edge to edge
    ],
    ids=str,
)
def test_the_background_is_what_most_of_the_border_has(bright, inverted):
    image = np.zeros(SHAPE, np.uint8)
    image[bright] = 200
    expected = 255 - image if inverted else image
    np.testing.assert_array_equal(images.light_on_dark(image), expected)
    np.testing.assert_array_equal(images.light_on_dark(255 - image), expected)


def save(array, path):
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "There is no picture"),
        (lambda path: path.mkdir(), "it is a folder, not a regular file"),
        (lambda path: path.write_text("a picture"), "is not a picture that can be read"),
        (lambda path: path.write_bytes(b""), "is not a picture that can be read"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50), "is not a picture that can be read"),
        (lambda path: save(np.full((50, 40), 255), path), "is blank; a picture must show something"),
        (lambda path: save(np.full((28, 28), 255), path), "is blank"),
        (lambda path: save(np.zeros((28, 28)), path), "is blank"),
        (lambda path: save([[7]], path), "is blank"),
        (lambda path: save(np.random.default_rng(0).integers(250, 256, (50, 50)), path), "is blank"),
        (lambda path: save(np.zeros((50, 50, 4)), path), "is blank"),
    ],
    ids=[
        "missing", "a folder", "text", "empty", "cut off",
        "white", "white, of the shape", "black, of the shape", "one pixel", "noise", "transparent",
    ],
)  # fmt: skip
def test_pictures_that_are_none(make, sentence, tmp_path):
    make(tmp_path / "a.png")
    with pytest.raises(InputError) as error:
        images.read(tmp_path / "a.png", SHAPE)
    assert sentence in str(error.value)
    assert str(tmp_path / "a.png") in str(error.value)


def test_a_picture_too_large_to_open(tmp_path, monkeypatch):
    save(np.zeros((50, 50)), tmp_path / "a.png")
    monkeypatch.setattr(images, "MOST", 1000)
    with pytest.raises(InputError, match=r"a\.png has 50 × 50 pixels; at most 1,000 in all can be read\."):
        images.read(tmp_path / "a.png", SHAPE)


def test_a_small_file_of_many_pixels_costs_no_memory(tmp_path):
    Image.new("1", (13_000, 13_000)).save(tmp_path / "a.png")
    tracemalloc.start()
    with pytest.raises(InputError, match="13,000 × 13,000 pixels"):
        images.read(tmp_path / "a.png", SHAPE)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\nshowpage\n", b"II*\0\x08\0\0\0"]
)
def test_what_other_programs_would_read_is_not_read(tmp_path, monkeypatch, content):
    """Pillow hands EPS to Ghostscript, whatever the file's name."""
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a program was started"))
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="is not a picture that can be read"):
        images.read(tmp_path / "a.png", SHAPE)


def test_sixteen_bits_are_read_like_eight(digits, tmp_path):
    for sample in digits.X_test[:20]:
        eight = np.round(255 * enlarged(sample)).astype(np.uint8)
        save(eight, tmp_path / "8.png")
        Image.fromarray(eight.astype(np.uint16) * 257).save(tmp_path / "16.png")
        with Image.open(tmp_path / "16.png") as image:
            assert image.mode == "I;16"
        assert np.array_equal(images.read(tmp_path / "16.png", SHAPE), images.read(tmp_path / "8.png", SHAPE))


def test_uneven_light_is_not_drawn(digits, network, tmp_path):
    """Paper that is bright in one corner and dark in the opposite, as in a photograph by lamplight."""
    samples, labels, read = digits.X_test[:20], digits.y_test[:20], []
    noise = np.random.default_rng(0)
    for sample in samples:
        drawing = np.pad(enlarged(sample), 60)
        y, x = np.meshgrid(*(np.linspace(0, 1, n) for n in drawing.shape), indexing="ij")
        paper = 235 - 60 * x - 50 * y - 20 * x * y + noise.normal(0, 2, drawing.shape)
        save(np.clip(paper * (1 - 0.85 * drawing), 0, 255), tmp_path / "a.jpg")
        read.append(images.read(tmp_path / "a.jpg", SHAPE))
    assert np.mean([likeness(x, sample) for x, sample in zip(read, samples, strict=True)]) > 0.9
    assert np.mean(network.predict(np.stack(read)) == labels) >= 0.75
