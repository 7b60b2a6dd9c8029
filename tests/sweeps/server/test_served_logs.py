"""Files of lines by offset, against a list."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muslin.documents import flat
from muslin.errors import InputError
from muslin.sweeps.server.logs import LineFile, rows
from muslin.sweeps.server.store import Book, Store

WRITES = st.lists(st.tuples(st.integers(0, 12), st.lists(st.text("ab é", max_size=5), max_size=4)), max_size=8)


@given(writes=WRITES, again=st.booleans())
def test_it_is_a_list_whose_tail_is_replaced(writes, again, tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "file"
    model, file = [], LineFile(path)
    for offset, lines in writes:
        file = LineFile(path) if again else file
        file.write(offset, lines)
        model = [*model[:offset], *[""] * max(0, offset - len(model)), *lines]
        assert file.lines() == len(model)
    if writes:
        assert path.read_text(encoding="utf-8").split("\n") == [*model, ""]
        assert file.tail(3) == model[-3:]


def test_a_torn_line_is_cut_off_and_sent_again(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a"')
    file = LineFile(path)
    assert file.lines() == 2
    file.write(2, ['{"a": 3}'])
    assert list(rows(path)) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_the_tail_of_a_long_file(tmp_path):
    file = LineFile(tmp_path / "long")
    lines = [json.dumps({"n": n, "text": "x" * 100}) for n in range(3000)]
    file.write(0, lines)
    assert file.tail(1500) == lines[-1500:]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"a": {"b": {"c": 1}}, "d": 2}, {"a.b.c": 1, "d": 2}),
        ({"image": {"_type": "image-file", "path": "x"}}, {"image": {"_type": "image-file", "path": "x"}}),
    ],
)
def test_nested_keys_are_joined_by_points(row, expected):
    assert flat(row) == expected


def test_at_its_end_it_has_a_digest_until_it_goes_on(tmp_path):
    from muslin.files import read_json_lines

    file = LineFile(tmp_path / "history.jsonl")
    file.write(0, ['{"a": 1}', '{"a": 2}'])
    file.seal()
    assert b"muslin_digest" in file.path.read_bytes()
    assert read_json_lines(file.path) == [*rows(file.path)] == [{"a": 1}, {"a": 2}]
    assert file.tail(5) == ['{"a": 1}', '{"a": 2}']
    for again in (file, LineFile(file.path)):
        again.write(again.lines(), ['{"a": 3}'])
        assert b"muslin_digest" not in file.path.read_bytes()
        again.seal()
    assert [row["a"] for row in read_json_lines(file.path)] == [1, 2, 3, 3]


@pytest.fixture
def book(tmp_path):
    store = Store(tmp_path / "state.db")
    yield Book(store, tmp_path)
    store.close()


LINES = ['{"a": 1}', '{"a": 22}', '{"a": 3}']


def test_damage_of_a_file_that_is_still_written_is_seen(tmp_path, book):
    """Any bit, any byte that is missing: by the next server, which goes by what the one before it has noted."""
    path = tmp_path / "history.jsonl"
    LineFile(path, book).write(0, LINES)
    right = path.read_bytes()
    wrong = [right[:at] + bytes([right[at] ^ 1 << bit]) + right[at + 1 :] for at in range(len(right)) for bit in (0, 5)]
    for data in [*wrong, right[:-1], right[:9], right[9:], b"x" + right]:
        path.write_bytes(data)
        for use in (LineFile.lines, LineFile.seal, lambda file: file.write(3, ["{}"])):
            with pytest.raises(InputError, match=r"history.jsonl is damaged.*remove it"):
                use(LineFile(path, book))
    path.write_bytes(right)
    assert LineFile(path, book).lines() == 3
    path.unlink()
    file = LineFile(path, book)
    file.write(0, LINES[:1])
    assert file.lines() == LineFile(path, book).lines() == 1


def test_damage_is_not_sealed_as_if_it_were_right(tmp_path, book):
    file = LineFile(tmp_path / "history.jsonl", book)
    file.write(0, LINES)
    file.path.write_bytes(file.path.read_bytes().replace(b"22", b"23"))
    with pytest.raises(InputError, match="is damaged"):
        file.seal()


def test_damage_of_a_sealed_file_is_seen(tmp_path, book):
    path = tmp_path / "history.jsonl"
    file = LineFile(path, book)
    file.write(0, LINES)
    file.seal()
    assert LineFile(path, book).lines() == 3
    path.write_bytes(path.read_bytes().replace(b"22", b"23"))
    with pytest.raises(InputError, match="is damaged"):
        LineFile(path, book).lines()


@given(writes=WRITES, seals=st.lists(st.booleans(), min_size=8, max_size=8))
def test_what_is_noted_is_what_is_there(writes, seals, tmp_path_factory):
    """Whatever is written, sealed and gone on with: the next server finds no damage."""
    folder = tmp_path_factory.mktemp("lines")
    store = Store(folder / "state.db")
    path, book, file = folder / "file", Book(store, folder), LineFile(folder / "file", Book(store, folder))
    for (offset, lines), seal in zip(writes, seals, strict=False):
        file.write(offset, [json.dumps({"a": line}) for line in lines])
        if seal:
            file.seal()
        assert LineFile(path, book).lines() == file.lines()
    store.close()


def test_a_damaged_log_is_said_wherever_it_is_read(tmp_path, serving):
    """On the run's page, by the API, and to the client that would go on writing it."""
    for ended in (False, True):
        with serving(tmp_path / str(ended)) as client:
            client.log("r", 0, {"loss": 1.25}, {"loss": 2.5})
            if ended:
                client.stream("r", complete=True, exitcode=0)
        path = tmp_path / str(ended) / "p" / "r" / "history.jsonl"
        path.write_text(path.read_text().replace("1.25", "1.75"))
        with serving(tmp_path / str(ended)) as client:
            query = '{ project(name: "p", entityName: "local") { run(name: "r") { history } } }'
            for said in (client.log("r", 2, {"loss": 3})[1], client.send("GET", "/local/p/runs/r")[1]):
                assert b"history.jsonl is damaged" in said
            assert "history.jsonl is damaged" in str(client.ask(query)["errors"])
