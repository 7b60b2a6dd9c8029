"""muslin playground: a page beside the run."""

import json

import pytest


def test_json(muslin, copy):
    code, out, err = muslin("playground", copy.path, "--samples", 7, "--json")
    page = copy.path / "playground.html"
    assert (code, err, out.count("\n")) == (0, "", 1)
    facts = {"run": str(copy.path), "page": str(page), "samples": 7, "bytes": page.stat().st_size}
    assert json.loads(out) == facts
    assert "<!DOCTYPE html>" in page.read_text(encoding="utf-8")


def test_for_a_person(muslin, copy, alone):
    code, out, err = muslin("playground", copy.path, "--output", "play.html")
    assert (code, err) == (0, "")
    assert out.startswith("play.html  ")
    assert (alone / "play.html").exists()
    assert not (copy.path / "playground.html").exists()


def test_data_from_another_folder(muslin, copy, toy):
    assert muslin("playground", copy.path, "--data-dir", toy.parent).code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere",), "There is no run directory nowhere."),
        (("{run}", "--samples", 0), "--samples"),
        (("{run}", "--output", "{run}"), "Cannot write"),
    ],
    ids=["no run", "no sample", "a folder"],
)
def test_bad_input(arguments, sentence, muslin, copy):
    code, out, err = muslin("playground", *(str(word).format(run=copy.path) for word in arguments))
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err


def test_a_run_that_has_not_finished(muslin, copy):
    (copy.path / "summary.json").unlink()
    code, out, err = muslin("playground", copy.path)
    assert (code, out) == (2, "")
    assert "has not finished training; go on with: muslin train --resume" in err
    assert not (copy.path / "playground.html").exists()
