"""What is read of a run: each thing that may be wrong in its files is one sentence; the rest is read."""

import pytest

from muslin.errors import InputError
from muslin.files import write_json, write_json_lines
from muslin.runs import records

CONFIG = {"name": "x", "data_checksums": {"a": "1"}, "epochs": 3, "hidden_size": [8, 4], "own": {"any": ["thing"]}}
PROGRAM = {"name": "x", "config": {"lr": {"deep": 1}}, "command": ["python", "x.py"]}
ROW = {"epoch": 1, "loss": 0.5, "learning_rate": 0.1, "seconds": 1.0, "samples_per_second": 9}
CLASS = {"class": "shoe", "precision": 0.5, "recall": 0.5, "f1": 0.5, "samples": 4}
SUMMARY = {"epochs": 3, "best_epoch": 2, "loss": 0.5, "seconds": 1, "samples_per_second": 9.0, "parameters": 7} | {
    "engine": "numpy",
    "confusion_matrix": [[3, 1], [0, 4]],
    "per_class": [CLASS, CLASS],
    "macro": {"f1": None},
}
DEEP = "x" * 100_000


def changed(facts, **changes):
    return {key: value for key, value in (facts | changes).items() if value is not ...}


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (records.config, CONFIG),
        (records.config, PROGRAM),
        (records.summary, SUMMARY),
        (records.summary, changed(SUMMARY, per_class=..., confusion_matrix=..., test_loss=None)),
        (records.program_summary, {"any": ["thing"]}),
    ],
)
def test_what_is_right_is_read_as_it_is(read, value, tmp_path):
    write_json(tmp_path / "a.json", value)
    assert read(tmp_path / "a.json") == value


@pytest.mark.parametrize(
    ("read", "value", "sentence"),
    [
        (records.config, [], "it holds [] where an object must be"),
        (records.config, changed(CONFIG, name=...), "name is missing"),
        (records.config, changed(CONFIG, name=None), "name is None; it must be a valid string"),
        (records.config, changed(CONFIG, data_checksums="x"), "data_checksums is 'x'; it must be a valid dictionary"),
        (records.config, changed(CONFIG, data_checksums={"a": 3}), "data_checksums.a is 3; it must be a valid string"),
        (records.config, changed(CONFIG, versions=[]), "versions is []; it must be"),
        (records.config, changed(CONFIG, machine="x"), "machine is 'x'; it must be"),
        (records.config, changed(CONFIG, machine={"blas": 3}), "machine.blas is 3; it must be"),
        (
            records.config,
            changed(CONFIG, machine={"blas": {"threads": "2"}}),
            "blas.threads is '2'; it must be",
        ),
        (records.config, changed(CONFIG, machine={"blas": {"threads": 0}}), "machine.blas.threads is 0; it must be"),
        (
            records.config,
            changed(CONFIG, epochs={"a": 1}),
            "epochs is {'a': 1}; it must be a text, a number",
        ),
        (records.config, changed(CONFIG, hidden_size=[[8]]), "hidden_size is [[8]]; it must be a text, a number"),
        (records.config, changed(PROGRAM, config=[]), "config is []; it must be a valid dictionary"),
        (records.config, changed(PROGRAM, command=...), "command is missing"),
        (records.summary, None, "it holds None where an object must be"),
        (records.summary, changed(SUMMARY, epochs="3"), "epochs is '3'; it must be a valid integer"),
        (records.summary, changed(SUMMARY, epochs=True), "epochs is True; it must be a valid integer"),
        (records.summary, changed(SUMMARY, loss=DEEP), "loss is 'xxx"),
        (records.summary, changed(SUMMARY, parameters=-1), "parameters is -1; it must be greater than or equal to 0"),
        (records.summary, changed(SUMMARY, confusion_matrix=[[1, 2], [3]]), "a row and a column for each class"),
        (records.summary, changed(SUMMARY, confusion_matrix=[[1]]), "a row and a column for each class"),
        (
            records.summary,
            changed(SUMMARY, confusion_matrix=[[1, -2], [3, 4]]),
            "matrix.0.1 is -2; it must be",
        ),
        (records.summary, changed(SUMMARY, per_class=[CLASS] * 3), "must be of the same classes"),
        (records.summary, changed(SUMMARY, per_class=[{}, CLASS]), "per_class.0.class is missing"),
        (records.program_summary, 3, "it holds 3 where an object must be"),
    ],
)
def test_what_is_wrong_is_one_short_sentence(read, value, sentence, tmp_path):
    write_json(tmp_path / "a.json", value)
    with pytest.raises(InputError) as error:
        read(tmp_path / "a.json")
    assert str(error.value).startswith(f"{tmp_path / 'a.json'} is damaged: ")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([ROW, 3], "it holds 3 where an object must be"),
        ([changed(ROW, epoch=...)], "epoch is missing"),
        ([changed(ROW, epoch="1")], "epoch is '1'; it must be a valid integer"),
        ([changed(ROW, epoch=0)], "epoch is 0; it must be greater than or equal to 1"),
        ([ROW, ROW], "its epochs must be 1, 2, 3, … without a gap"),
        ([ROW, changed(ROW, epoch=3)], "its epochs must be 1, 2, 3, …"),
        ([changed(ROW, seconds=...)], "seconds is missing"),
        ([changed(ROW, seconds=None)], "seconds is None; it must be"),
        ([changed(ROW, samples_per_second=0)], "samples_per_second is 0; it must be greater than 0"),
        ([changed(ROW, loss=[])], "loss is []; it must be a valid number"),
        ([changed(ROW, dead_units=[0.1, "x"])], "dead_units.1 is 'x'; it must be a valid number"),
        ([changed(ROW, val_loss=1.0), changed(ROW, epoch=2)], "epoch 2 has other figures than epoch 1"),
        (
            [changed(ROW, gradient_norms=[1.0]), changed(ROW, epoch=2, gradient_norms=[1.0, 2.0])],
            "epoch 2 has other figures than epoch 1",
        ),
    ],
)
def test_rows_that_are_none_of_a_history(rows, sentence, tmp_path):
    if isinstance(rows[-1], dict):
        write_json_lines(tmp_path / "a.jsonl", rows)
    else:
        (tmp_path / "a.jsonl").write_text(
            '{"epoch": 1, "loss": 1, "learning_rate": 1, "seconds": 1, "samples_per_second": 1}\n3\n'
        )
    with pytest.raises(InputError) as error:
        records.history(tmp_path / "a.jsonl")
    assert sentence in str(error.value)


def test_rows_may_have_more_and_no_figure(tmp_path):
    rows = [ROW | {"note": "warm", "own": [1]}, changed(ROW, epoch=2, loss=None)]
    write_json_lines(tmp_path / "a.jsonl", rows)
    assert records.history(tmp_path / "a.jsonl") == rows
    program = [{"reward": 1}, {"reward": None, "text": "x"}]
    write_json_lines(tmp_path / "a.jsonl", program)
    assert records.program_history(tmp_path / "a.jsonl") == program
