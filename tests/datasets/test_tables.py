"""Tables as people have them: each of these is the same table, whatever wrote it."""

import json

import numpy as np
import pandas as pd
import pytest

from muslin import InputError
from muslin.datasets import tables
from muslin.datasets.own_table import TableFacts, TableOptions, load
from muslin.preparation import values
from muslin.preparation.values import as_numbers

FRAME = pd.DataFrame(
    {"x": np.arange(30) % 9 + 0.25, "city": np.where(np.arange(30) % 2, "Köln", "Pune"), "y": ["p", "q", "q"] * 10}
)
TEXT = FRAME.to_csv(index=False)

#: name of the file → its content, or what writes it
SAME = {
    "plain.csv": TEXT,
    "no last newline.csv": TEXT.rstrip(),
    "old Macintosh.csv": TEXT.replace("\n", "\r"),
    "Windows.csv": TEXT.replace("\n", "\r\n"),
    "twice.csv": TEXT.replace("\n", "\r\r\n"),
    "UTF-16.csv": TEXT.encode("utf-16"),
    "mark.csv": TEXT.encode("utf-8-sig"),
    "two marks.csv": b"\xef\xbb\xbf" + TEXT.encode("utf-8-sig"),
    "of no width.csv": TEXT.replace("city", "\u200bcity"),
    "in two parts.csv": TEXT.replace("Köln", "Ko\u0308ln"),
    "blanks.csv": TEXT.replace(",", ", "),
    "blanks and quotes.csv": TEXT.replace("Köln", '"Köln"').replace(",", ", "),
    "tabs.csv": TEXT.replace(",", "\t"),
    "strokes.csv": TEXT.replace(",", "|"),
    "semicolons.csv": TEXT.replace(",", ";"),
    "commas.csv": FRAME.to_csv(index=False, sep=";", decimal=","),
    "commas.tsv": FRAME.to_csv(index=False, sep="\t", decimal=","),
    "quoted commas.csv": FRAME.to_csv(index=False, decimal=","),
    "row numbers.csv": FRAME.to_csv(),
    "one comma more.csv": TEXT.replace("\n", ",\n"),
    "index.parquet": lambda path: FRAME.set_index("x").to_parquet(path),
    "categories.parquet": lambda path: FRAME.astype({"city": "category", "y": "category"}).to_parquet(path),
    "empty sheet.xlsx": lambda path: _sheets(path, pd.DataFrame(), FRAME),
    "empty rows.xlsx": lambda path: FRAME.to_excel(path, index=False, startrow=3),
    "array.json": FRAME.to_json(orient="records", indent=1),
}


def _sheets(path, *frames):
    with pd.ExcelWriter(path) as file:
        for i, frame in enumerate(frames):
            frame.to_excel(file, sheet_name=f"{i}", index=False)


@pytest.mark.parametrize("name", SAME)
def test_the_same_table(name, tmp_path):
    path, content = tmp_path / name, SAME[name]
    if callable(content):
        content(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    read, marks = tables.read(path)
    np.testing.assert_array_equal(as_numbers(read["x"], marks.decimal_comma), FRAME["x"])
    data = load(path, TableOptions(target="y", test=0.0))
    (tmp_path / "same.csv").write_text(TEXT, encoding="utf-8")
    same = load(tmp_path / "same.csv", TableOptions(target="y", test=0.0))
    np.testing.assert_array_equal(np.unique(data.X_train), np.unique(same.X_train))
    np.testing.assert_array_equal(data.y_train, same.y_train)


def test_a_file_that_cannot_tell_is_read_as_that_of_training(tmp_path):
    (tmp_path / "point.csv").write_text("x;y\n" + "1.234;p\n0.5;q\n" * 10)
    (tmp_path / "comma.csv").write_text("x;y\n" + "1.234;p\n0,5;q\n" * 10)
    (tmp_path / "new.csv").write_text("x;y\n1.234;p\n")
    for name, number in (("point.csv", 1.234), ("comma.csv", 1234)):
        facts = load(tmp_path / name, TableOptions(target="y", test=0.0)).table
        center, scale = facts.preparation.columns[0].center[0], facts.preparation.columns[0].scale[0]
        assert facts.samples(tmp_path / "new.csv")[0, 0] == pytest.approx((number - center) / scale)


def test_numbers_of_classes_with_a_point(tmp_path):
    """A gap in a column of whole numbers makes pandas write 1.0 for 1."""
    (tmp_path / "t.csv").write_text("x,y\n" + "1,0\n2,1\n" * 10)
    (tmp_path / "new.csv").write_text("x,y\n1,1.0\n2,0.0\n")
    facts = load(tmp_path / "t.csv", TableOptions(target="y")).table
    assert facts.samples_and_targets(tmp_path / "new.csv")[1].tolist() == [1, 0]


def test_what_is_written_has_the_marks_of_what_was_read(tmp_path):
    (tmp_path / "t.csv").write_text("x;y\n3,5;p\n4,5;q\n")
    read, marks = tables.read(tmp_path / "t.csv")
    tables.write(read.assign(z=[0.5, 1.5]), tmp_path / "out.csv", marks)
    assert (tmp_path / "out.csv").read_text() == "x;y;z\n3,5;p;0,5\n4,5;q;1,5\n"


def test_another_encoding_is_stated_and_kept(tmp_path):
    """What is not UTF-8 is read as it was for training; what is, as UTF-8; what is written, as it was read."""
    old, new, plain = (tmp_path / f"{name}.csv" for name in ("old", "new", "plain"))
    old.write_bytes(TEXT.encode("windows-1252"))
    new.write_text(TEXT, encoding="utf-8")
    plain.write_text(TEXT.replace("Köln", "Pune"))
    with pytest.raises(InputError, match="If 'Köln' is meant"):
        load(old, TableOptions(target="y"))
    facts = load(old, TableOptions(target="y", encoding="windows-1252")).table
    facts = TableFacts.from_json(json.loads(json.dumps(facts.to_json())))
    assert [facts.read(path)[1].encoding for path in (old, new)] == ["windows-1252", "utf-8"]
    np.testing.assert_array_equal(facts.samples(old), facts.samples(new))
    read, marks = facts.read(old)
    tables.write(read, tmp_path / "out.csv", marks)
    assert (tmp_path / "out.csv").read_bytes() == old.read_bytes()
    with pytest.raises(InputError, match="has no 'Ł'"):
        tables.write(read.assign(city="Łódź"), tmp_path / "out.csv", marks)
    assert facts.samples(plain).shape == (30, 3)


def test_equal_texts_are_looked_at_once(monkeypatch):
    """So that a table of a hundred thousand rows is read in seconds."""
    asked, read = [], values._number_of
    monkeypatch.setattr(values, "_number_of", lambda text, comma: asked.append(text) or read(text, comma))
    column = pd.Series(["1,5", "2,5", "red"] * 1000, dtype=object)
    np.testing.assert_array_equal(values.as_numbers(column, True), [1.5, 2.5, np.nan] * 1000)
    assert sorted(asked) == ["1,5", "2,5", "red"]
