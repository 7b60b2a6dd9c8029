"""Tables on the command line: train, evaluate, predict, export; and forty kinds of table that cannot be."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toys import table

from muslin import runs
from muslin.cli import main

NETWORK = ["-a", "relu", "--hidden-layers", "1", "--hidden-size", "8", "--epochs", "4", "--engine", "numpy"]


def run(*arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table().to_csv("t.csv", index=False)
    table(30, 1).to_csv("new.csv", index=False)
    return tmp_path


def trained(target, capsys, *more, file="t.csv"):
    drop = "size" if target == "kind" else "kind"
    arguments = ("train", "-d", file, "--target", target, "--drop", drop, "--name", target, *NETWORK, *more)
    return run(*arguments, "--json", capsys=capsys)


def test_classes_from_end_to_end(there, capsys):
    code, out, err = trained("kind", capsys, "--evaluate")
    assert code == 0, err
    result = json.loads(out)
    assert result["test_accuracy"] > 0.4
    assert "id, not used" in err
    assert "24 for the test" in err
    code, out, _ = run("evaluate", "runs/kind", "new.csv", "--json", capsys=capsys)
    by_table = json.loads(out)["test_accuracy"]
    columns = list(table().columns)[::-1]
    pd.read_csv("new.csv")[columns].to_csv("other.csv", index=False, sep=";")
    code, out, err = run("predict", "runs/kind", "other.csv", "--out", "said.csv", capsys=capsys)
    assert code == 0, err
    said = pd.read_csv("said.csv", sep=";")
    assert list(said.columns[: len(columns)]) == columns
    assert (said["predicted kind"] == said["kind"]).mean() == pytest.approx(by_table)
    shares = said[["probability of large", "probability of small"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


def test_numbers_from_end_to_end(there, capsys):
    code, out, err = trained("size", capsys, "--epochs", "60", "--learning-rate", "0.01", "--evaluate")
    assert code == 0, err
    result = json.loads(out)
    assert "accuracy" not in result
    assert result["test_r2"] > 0.5
    code, out, err = run("predict", "runs/size", "new.csv", "--json", capsys=capsys)
    assert code == 0, err
    said = [row["predicted size"] for row in json.loads(out)["predictions"]]
    true = table(30, 1)["size"]
    assert np.corrcoef(said, true)[0, 1] > 0.7
    assert abs(np.mean(said) - true.mean()) < 15  # in its units
    assert run("report", "runs/size", capsys=capsys)[0] == 0
    code, out, err = run("evaluate", "runs/size", "new.csv", "--json", capsys=capsys)
    assert code == 0, err
    assert json.loads(out)["test_rmse"] == pytest.approx(np.sqrt(np.mean((said - true) ** 2)), rel=1e-4)


def test_a_few_rows_are_shown_whole(there, capsys):
    trained("kind", capsys)
    pd.read_csv("new.csv").head(2).to_csv("few.csv", index=False)
    code, out, _ = run("predict", "runs/kind", "few.csv", capsys=capsys)
    assert code == 0
    assert not {"…", "written"} & {*out.split()}
    assert sum(out.count(f" {city} ") for city in pd.read_csv("few.csv")["city"].dropna().unique()) == 2
    code, out, _ = run("predict", "runs/kind", "new.csv", capsys=capsys)
    assert out.splitlines()[-1] == "… 30 rows in all; --out FILE writes them"
    code, out, _ = run("predict", "runs/kind", "new.csv", "--out", "said.csv", capsys=capsys)
    assert [" ".join(line.split()) for line in out.splitlines()[-2:]] == ["… 30 rows in all", "written said.csv"]


def test_without_validation_rows_the_training_loss_is_said(there, capsys):
    arguments = ("train", "-d", "t.csv", "--target", "size", "--drop", "kind", "--name", "all", *NETWORK)
    code, out, err = run(*arguments, "--validation", "0", capsys=capsys)
    assert code == 0, err
    assert f"loss {runs.Run(Path('runs/all')).summary['loss']:.4f}" in out
    assert "R²" not in out


def test_what_is_exported_as_json(there, capsys):
    pytest.importorskip("onnx")
    trained("kind", capsys)
    told = json.loads(run("export", "runs/kind", "--json", capsys=capsys)[1])
    assert told["files"] == ["runs/kind/model.onnx"]
    assert {*told["inputs"]} == {"x", "city", "day", "gap"}
    assert told["outputs"] == ["label", "probabilities"]


def test_errors_are_told_in_the_unit_of_the_column(there, capsys):
    """While it trains and after, those of the validation rows and of the test rows."""
    told = json.loads(trained("size", capsys, "--validation", "0.3", "--evaluate")[1])
    saved = runs.Run(Path("runs/size"))
    data, target = saved.dataset(), saved.table.target
    assert target.scale > 5
    rows = runs.split(saved.settings, data)[1]
    for kind, X, y in (("val", data.X_train[rows], data.y_train[rows]), ("test", data.X_test, data.y_test)):
        errors = target.decode(saved.model.respond(X)) - target.decode(y)
        assert told[f"{kind}_mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
        assert told[f"{kind}_rmse"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-5)
    assert saved.history[-1]["val_mae"] == told["val_mae"]
    assert run("ensemble", "runs/size", capsys=capsys)[0] == 0
    assert runs.Run(Path("runs/ensemble")).summary["val_mae"] == pytest.approx(told["val_mae"], rel=1e-5)


@pytest.mark.parametrize("name", ["t.tsv", "t.parquet", "t.xlsx", "t.jsonl", "t.csv.gz"])
def test_every_format_gives_the_same_network(there, name, capsys):
    made = table()
    {
        "t.tsv": lambda: made.to_csv(name, sep="\t", index=False),
        "t.parquet": lambda: made.to_parquet(name),
        "t.xlsx": lambda: made.to_excel(name, index=False),
        "t.jsonl": lambda: made.to_json(name, orient="records", lines=True, double_precision=15),
        "t.csv.gz": lambda: made.to_csv(name, index=False),
    }[name]()
    figures = [json.loads(trained("kind", capsys, "--name", f, file=f)[1]) for f in ("t.csv", name)]
    assert figures[0]["loss"] == pytest.approx(figures[1]["loss"], rel=1e-6)


def test_the_test_rows_may_be_another_table(there, capsys):
    code, _, err = trained("kind", capsys, "--test", "new.csv", "--evaluate")
    assert code == 0, err
    assert "120 for training and validation, 30 for the test" in err
    made = pd.read_csv("new.csv")
    made.to_csv("new.csv", index=False, columns=[*made.columns[:-1]])
    code, _, err = run("evaluate", "runs/kind", capsys=capsys)
    assert code == 2
    assert "is not the one" in err


def test_onnx_takes_the_columns_as_they_are(there, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    for target in ("kind", "size"):
        assert trained(target, capsys)[0] == 0
        assert run("export", f"runs/{target}", "--to", "onnx", capsys=capsys)[0] == 0
        new = table(30, 1)
        session = onnxruntime.InferenceSession(f"runs/{target}/model.onnx")
        days = (pd.to_datetime(new["day"]) - pd.Timestamp(0)) / pd.Timedelta(days=1)
        inputs = {"x": new["x"], "city": new["city"].astype(object), "day": days, "gap": new["gap"]}
        said = session.run(None, {k: v.to_numpy()[:, None] for k, v in inputs.items()})
        rows = json.loads(run("predict", f"runs/{target}", "new.csv", "--json", capsys=capsys)[1])["predictions"]
        if target == "kind":
            assert said[0].tolist() == [row["predicted kind"] for row in rows]
        else:
            np.testing.assert_allclose(said[0][:, 0], [row["predicted size"] for row in rows], rtol=1e-4)


GOOD = "a,b,y\n" + "".join(f"{i % 7},{i % 5}.5,{'pq'[i % 2]}\n" for i in range(40))

FRAME = pd.DataFrame({"a": np.arange(40) % 7, "b": np.arange(40) % 5 + 0.5, "y": np.where(np.arange(40) % 2, "q", "p")})


def _sheets(path, **frames):
    with pd.ExcelWriter(path) as file:
        for sheet, frame in frames.items():
            frame.to_excel(file, sheet_name=sheet, index=False)


#: name → (content, or what writes the file, more arguments, words of the message)
BAD = {
    "no target": (GOOD, (), "--target must name the column"),
    "unknown target": (GOOD, ("--target", "yy"), "Did you mean 'y'"),
    "unknown drop": (GOOD, ("--target", "y", "--drop", "c"), "column to drop 'c'"),
    "target dropped": (GOOD, ("--target", "y", "--drop", "y"), "cannot be dropped"),
    "all dropped": (GOOD, ("--target", "y", "--drop", "a,b"), "No column is left"),
    "regression of texts": (GOOD, ("--target", "y", "--task", "regression"), "no number"),
    "unknown task": (GOOD, ("--target", "y", "--task", "guess"), "Unknown task"),
    "test above 1": (GOOD, ("--target", "y", "--test", "1.5"), "--test is"),
    "test of 1": (GOOD, ("--target", "y", "--test", "1"), "--test is"),
    "test no table": (GOOD, ("--target", "y", "--test", "x.png"), "--test is"),
    "test not there": (GOOD, ("--target", "y", "--test", "x.csv"), "no table x.csv"),
    "loss of numbers": (GOOD, ("--target", "y", "--loss", "huber"), "does not go with"),
    "output of numbers": (GOOD, ("--target", "y", "--output", "identity"), "says numbers"),
    "weights of numbers": (
        GOOD,
        ("--target", "a", "--task", "regression", "--class-weight", "balanced"),
        "class_weight is for classes",
    ),
    "batch too large": (GOOD, ("--target", "y", "--batch-size", "100"), "batch_size"),
    "empty": ("", ("--target", "y"), "is empty"),
    "blank": (" \n\n", ("--target", "y"), "is empty"),
    "names only": ("a,b,y\n", ("--target", "y"), "no rows"),
    "no names": ("1,2,3\n4,5,6\n", ("--target", "3"), "no names of columns"),
    "a name missing": ("a,,y\n1,2,p\n", ("--target", "y"), "column 2 has no name"),
    "a name twice": ("a,a,y\n1,2,p\n", ("--target", "y"), "two columns named"),
    "a value too few": ("a,b,y\n1,2,p\n1,q\n", ("--target", "y"), "line 3: 2 values"),
    "a value too many": ("a,b,y\n1,2,p\n1,2,3,q\n", ("--target", "y"), "line 3: 4 values"),
    "an open quote": ('a,b,y\n1,"2,p\n', ("--target", "y"), "line"),
    "no UTF-8": (b"a,b,y\n1,2,caf\xe9\n", ("--target", "y"), "If 'café' is meant there: --encoding windows-1252"),
    "another encoding": (b"a,y\n1,\x80 5\n", ("--target", "y", "--encoding", "latin-1"), "line 2: a control character"),
    "not in it": (b"a,y\n1,caf\xe9\n", ("--target", "y", "--encoding", "ascii"), "line 2: not a text in ascii"),
    "no encoding": (GOOD, ("--target", "y", "--encoding", "rot13"), "encoding is 'rot13'"),
    "e.parquet": (
        lambda path: FRAME.to_parquet(path),
        ("--target", "y", "--encoding", "latin-1"),
        "leave --encoding out",
    ),
    "a null": (b"a,b,y\n1,\x002,p\n", ("--target", "y"), "null"),
    "a web page": ("<html><body>404</body></html>", ("--target", "y"), "no table"),
    "JSON as CSV": ('{"a": 1}', ("--target", "y"), "no table"),
    "one class": ("a,y\n1,p\n2,p\n3,p\n", ("--target", "y"), "always 'p'"),
    "one row": ("a,y\n1,p\n", ("--target", "y"), "rows has a value"),
    "no target at all": ("a,y\n1,\n2,\n", ("--target", "y"), "rows has a value"),
    "a class a row": ("a,y\n" + "".join(f"{i},v{i}\n" for i in range(60)), ("--target", "y"), "too many for"),
    "nothing to learn from": ("a,y\n" + "5,p\n5,q\n" * 20, ("--target", "y"), "No column is left"),
    "t.parquet": (b"PAR1 not really", ("--target", "y"), "damaged or no .parquet"),
    "t.xlsx": (b"PK not really", ("--target", "y"), "damaged or no .xlsx"),
    "t.jsonl": ('{"a": 1, "y": "p"}\n{"a": \n', ("--target", "y"), "line 2: not valid JSON"),
    "u.jsonl": ('{"a": [1], "y": "p"}\n', ("--target", "y"), "row 1"),
    "v.jsonl": ("3\n4\n", ("--target", "y"), "row 1"),
    "t.csv.gz": (b"\x1f\x8b not really", ("--target", "y"), "does not unpack"),
    "names once more": (GOOD + GOOD, ("--target", "y"), "row 41 below the names"),
    "values as names": (GOOD[6:].replace(",p", ",q", 1), ("--target", "q"), "no names of columns"),
    "a title": ("Sales 2024\n\n" + GOOD, ("--target", "y"), "lines before the names"),
    "parted by blanks": (GOOD.replace(",", " "), ("--target", "y"), "one column only"),
    "apostrophes": ("'a','y'\n" + "'1','p'\n'2','q'\n" * 20, ("--target", "y"), "between apostrophes"),
    "a quote that begins": (GOOD.replace("4.5,", '"4.5,', 1), ("--target", "y"), "lines"),
    "Excel as CSV": (b"PK\x03\x04\x14\0", ("--target", "y"), "an Excel file"),
    "UTF-32": (GOOD.encode("utf-32"), ("--target", "y"), "no text"),
    "too large": ("a,y\n" + "1e300,p\n2,q\n" * 20, ("--target", "y"), "up to 1e+300"),
    "a target too large": (
        "a,y\n" + "".join(f"{i % 7},{i}.5e200\n" for i in range(40)),
        ("--target", "y"),
        "another unit",
    ),
    "a word in numbers": (
        "a,y\n" + "".join(f"{i % 7},{'new' if i == 4 else i * 1.5}\n" for i in range(60)),
        ("--target", "y"),
        "'new' in row 5",
    ),
    "w.jsonl": ('{"a": 1, "a": 2, "y": "p"}\n', ("--target", "y"), "a key twice"),
    "x.jsonl": ('{"a": "\\ud800", "y": "p"}\n', ("--target", "y"), "half a character"),
    "two sheets.xlsx": (lambda path: _sheets(path, A=FRAME, B=FRAME), ("--target", "y"), "2 sheets"),
    "nothing.xlsx": (lambda path: _sheets(path, A=FRAME[:0].iloc[:, :0]), ("--target", "y"), "is empty"),
    "a name twice.xlsx": (
        lambda path: _sheets(path, A=FRAME.set_axis(["a", "a", "y"], axis=1)),
        ("--target", "y"),
        "two columns",
    ),
    "lists.parquet": (
        lambda path: FRAME.assign(a=[[1, 2]] * 40).to_parquet(path),
        ("--target", "y"),
        "lists or objects",
    ),
    "objects.parquet": (
        lambda path: FRAME.assign(a=[{"b": 1}] * 40).to_parquet(path),
        ("--target", "y"),
        "lists or objects",
    ),
    "no rows.parquet": (lambda path: FRAME[:0].to_parquet(path), ("--target", "y"), "no rows"),
    "a folder": (None, ("--target", "y"), "a folder"),
    "no table": (GOOD, ("--target", "y", "-d", "digits"), "are for tables"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_table_that_cannot_be(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content, arguments, words = BAD[name]
    file = tmp_path / (name if "." in name else "t.csv")
    if content is None:
        file.mkdir()
    elif callable(content):
        content(file)
    else:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    code, out, err = run("train", "-d", file.name, *NETWORK, "--batch-size", "8", *arguments, capsys=capsys)
    assert (code, out.strip().startswith("Traceback")) == (2, False), out
    last = err.strip().splitlines()[-1]
    assert last.startswith("muslin: ")
    assert words in last
    assert not (tmp_path / "runs").exists()


NEW = {
    "a column missing": (lambda t: t.drop(columns="x"), "lacks the column 'x'"),
    "another case": (lambda t: t.rename(columns={"x": "X"}), "lacks the column 'x'"),
    "a text among numbers": (lambda t: t.assign(x="tall"), "'x' holds 'tall' in row 1"),
    "no date": (lambda t: t.assign(day="soon"), "'soon' in row 1 below the names; it must be a date"),
    "a number too large": (lambda t: t.assign(x=1e300), "too large"),
    "no rows": (lambda t: t[:0], "no rows"),
    "a prediction's name": (lambda t: t.assign(**{"predicted kind": 1}), "has a column 'predicted kind' already"),
}


def test_weights_of_classes_are_those_of_fit(there, capsys):
    """To the bit."""
    for weight in ("none", "balanced"):
        code, _, err = trained("kind", capsys, "--class-weight", weight, "--name", weight)
        assert code == 0, err
    run = runs.Run(Path("runs/balanced"))
    data, settings = run.dataset(), run.settings
    network, (rows, _) = settings.network(data.X_train.shape[1], 2), runs.split(settings, data)
    network.fit(data.X_train, data.y_train, rows=rows, class_weight="balanced", **settings.training())
    np.testing.assert_array_equal(network.theta, run.model.theta)
    assert (network.theta != runs.Run(Path("runs/none")).model.theta).any()


def test_a_table_to_predict_that_cannot_be(there, capsys):
    assert trained("kind", capsys)[0] == 0
    for change, words in NEW.values():
        change(table(30, 1)).to_csv("bad.csv", index=False)
        code, _, err = run("predict", "runs/kind", "bad.csv", "--out", "said.csv", capsys=capsys)
        assert code == 2
        assert words in err
        assert len(err.strip().splitlines()) == 1
    assert not (there / "said.csv").exists()
    for arguments in (("t.csv", "new.csv"), ("t.csv", "--out", "said.png"), ("picture.png",)):
        assert run("predict", "runs/kind", *arguments, capsys=capsys)[0] == 2
    pd.read_csv("new.csv").assign(kind="middling").to_csv("bad.csv", index=False)
    code, _, err = run("evaluate", "runs/kind", "bad.csv", capsys=capsys)
    assert code == 2
    assert "must be one of large, small" in err


def test_what_a_person_should_know_of_the_target_is_said(there, capsys):
    made = table()
    made.loc[:1, "kind"], made.loc[2, "kind"], made.loc[3, "kind"] = "none", "Large", "huge"
    made.to_csv("t.csv", index=False)
    code, _, err = trained("kind", capsys)
    assert code == 0
    assert "2 rows without a value in kind" in err
    assert "of them 'none'" in err
    assert "'Large', 'huge': one row" in err
    assert "'Large', 'large': classes that differ by letter case" in err


def test_of_many_columns_the_first_are_shown(there, capsys):
    pd.DataFrame({f"c{i}": np.arange(9) % (i + 2) for i in range(100)}).to_csv("wide.csv", index=False)
    code, out, err = run("data", "wide.csv", capsys=capsys)
    assert code == 0, err
    assert "c59" in out
    assert "c60" not in out
    assert "and 40 more: 40 number" in out


def test_a_damaged_preparation(there, capsys):
    assert trained("kind", capsys)[0] == 0
    path = there / "runs" / "kind" / "preparation.json"
    path.write_text(path.read_text().replace("Pune", "Pume"))
    code, _, err = run("predict", "runs/kind", "new.csv", capsys=capsys)
    assert code == 2
    assert "damaged" in err


def test_lbfgs(there, capsys):
    code, out, err = trained("size", capsys, "--optimizer", "lbfgs", "--epochs", "30", "--evaluate")
    assert code == 0, err
    result = json.loads(out)
    assert result["test_r2"] > 0.9
    assert "epoch  30" in err
    before = (there / "runs/size/model.safetensors").read_bytes()
    for name in ("summary.json", "model.safetensors"):
        (there / "runs/size" / name).unlink()
    code, out, err = run("train", "--resume", "runs/size", "--json", capsys=capsys)  # from its beginning
    assert code == 0, err
    assert (there / "runs/size/model.safetensors").read_bytes() == before
    assert run("report", "runs/size", capsys=capsys)[0] == 0
    code, _, err = trained("kind", capsys, "--optimizer", "lbfgs", "--dropout", "0.5")
    assert code == 2
    assert "leave out dropout" in err
    assert not (there / "runs/kind").exists()
    code, _, err = run("bench", "--optimizer", "lbfgs", capsys=capsys)
    assert code == 2
    assert "takes all samples at once" in err
