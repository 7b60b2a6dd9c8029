"""What each column of a table is, and what is made of it: beside scikit-learn's own transformers, and by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from muslin import InputError
from muslin.preparation import Preparation, Target, describe, fit
from muslin.preparation.target import find_target
from muslin.preparation.values import as_numbers, has_decimal_comma

rng = np.random.default_rng(0)
N = 300
CITY = rng.choice(np.array(["Pune", "Delhi", "Kochi"], object), N, p=[0.5, 0.3, 0.2])
CITY[[5, 7]] = "rare 1", "rare 2"
TABLE = pd.DataFrame(
    {
        "age": np.where(rng.random(N) < 0.1, "", rng.integers(18, 80, N).astype(str)),
        "income": rng.lognormal(10, 1, N).round(2).astype(str),
        "city": np.where(np.arange(N) % 20 == 1, "", CITY),
        "member": rng.choice(["yes", "no"], N),
    },
    dtype=object,
)


@pytest.mark.parametrize(
    ("values", "kind", "missing"),
    [
        (["1", "2.5", "-3e2", "NA"], "number", 1),
        (["1,234", "5,678,901.5", "12"], "number", 0),
        ([1, 2, None], "number", 1),
        (["red", "blue", "red"], "category", 0),
        ([True, False, True], "category", 0),
        (["x", "x", ""], "category", 1),
        (["x", "x", "x"], "constant", 0),
        ([7, 7, 7], "constant", 0),
        (["", "NaN", "?"], "empty", 3),
        (["2024-01-31", "2023-02-01", ""], "date", 1),
        (["31.01.2024", "01.02.2023"], "date", 0),
        (["01/31/2024", "2/1/2023"], "date", 0),
        (["2024-01-31T10:30:00Z", "2023-02-01T00:00:00Z"], "date", 0),
        (["12/2024", "13/2024"], "category", 0),
        ([str(i) for i in range(1, 41)], "id", 0),
        ([f"user {i}" for i in range(40)], "id", 0),
        ([str(x) for x in rng.permutation(40) * 7.5], "number", 0),
        ([*map(str, range(100, 139)), "unknown"], "number", 1),
        (["$1,234.50", "$7", "-$3"], "number", 0),
        (["$5", "€7", "$9"], "category", 0),
        (["12 %", "7.5%", "100%"], "number", 0),
        (["50%", "0.5", "20%"], "category", 0),
        (["1 234", "12 345 678.5", "7"], "number", 0),
        (["1'234", "2\u202f345.5"], "number", 0),
        (["(12)", "7", "\u22123"], "number", 0),
        (["inf", "1", "2", "#DIV/0!"], "number", 2),
        (["01067", "80331", "04109"], "category", 0),
        (["007", "42", "9"], "number", 0),
        (["0,126", "2", "3"], "category", 0),
        (["2024-02-30", *(f"2024-02-{d:02}" for d in range(1, 29))], "date", 1),
        (["soon", *(f"{d:02}.02.2024" for d in range(1, 29))], "date", 1),
        (["2024-02-01", "01.02.2024"], "category", 0),
        (["0001-01-01", "9999-12-31"], "date", 0),
        (pd.to_timedelta([3, None, 7], unit="s"), "number", 1),
    ],
)
def test_what_a_column_is(values, kind, missing):
    found = describe(pd.Series(values, dtype=object if isinstance(values[0], str) else None), "column")
    assert (found.kind, found.missing) == (kind, missing), found.about


def test_words_among_numbers_are_told():
    found = describe(pd.Series([*map(str, range(100, 199)), "unknown"]), "column")
    assert found.words == ("unknown",)
    assert "unknown" in found.about


@pytest.mark.parametrize(
    ("texts", "comma", "numbers"),
    [
        (["1.234,56", "7"], True, [1234.56, 7]),
        (["1.234", "948"], True, [1234, 948]),
        (["1.234", "0.5"], True, [1.234, 0.5]),
        (["3,5", "1.234.567"], True, [3.5, 1234567]),
        (["1,234", "1.5"], False, [1234, 1.5]),
        (["3,5 €", "1.234,00 €"], True, [3.5, 1234]),
        (["(1,234)", "0,126"], False, [-1234, np.nan]),
    ],
)
def test_how_numbers_are_written(texts, comma, numbers):
    np.testing.assert_array_equal(as_numbers(pd.Series(texts, dtype=object), comma), numbers)


@pytest.mark.parametrize(
    ("texts", "comma"),
    [
        (["3,5", "1.234"], True),
        (["3.5", "1,234"], False),
        (["1.234", "1,234"], None),
        (["3,5", "3.5"], None),
        (["1.234,5"], True),
        (["1,234.5"], False),
        (["red", "7"], None),
        (["3,50 €"], True),
    ],
)
def test_whether_a_comma_is_the_point(texts, comma):
    assert has_decimal_comma(texts) is comma


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([f"{h} cm" for h in range(40)], "without 'cm'"),
        ([f"Jan {d}, 2024" for d in range(1, 29)], "2024-01-31"),
        ([f"{d}/01/24" for d in range(1, 29)], "2024-01-31"),
        ([f"202401{d}" for d in range(10, 29)], "2024-01-31"),
        ([*(str(d) for d in range(20)), "a", "b", "c", "d"], "20 are numbers, 'a', 'b', 'c', … not"),
        ([*(str(d % 9) for d in range(20)), "-999", "-999"], "-999 in 2 rows"),
    ],
)
def test_hints(texts, words):
    assert words in describe(pd.Series(texts, dtype=object), "column").about


def test_codes_have_no_hint():
    assert describe(pd.Series([f"{i * 97:05}" for i in range(40)], dtype=object), "code").about.endswith("in 40 rows")


def test_the_order_of_day_and_month_is_that_of_training():
    made, _ = fit(pd.DataFrame({"day": ["31/01/2024", "01/02/2024", "05/03/2024"], "x": ["1", "2", "3"]}))
    new = pd.DataFrame({"day": ["05/03/2024"], "x": ["3"]})
    made = Preparation.from_json(json.loads(json.dumps(made.to_json())))
    np.testing.assert_array_equal(
        made.transform(new), made.transform(pd.DataFrame({"day": ["05/03/2024", "31/01/2024"], "x": ["3", "1"]}))[:1]
    )
    with pytest.raises(InputError, match="the day first as in training"):
        made.transform(pd.DataFrame({"day": ["01/31/2024"], "x": ["3"]}))


def test_dates_with_the_year_first_are_always_read():
    table = pd.DataFrame({"day": ["31/01/2024", "01/02/2024"], "x": ["1", "2"]})
    made, _ = fit(table)
    new = table.assign(day=["2024-01-31", "2024-02-01"])
    np.testing.assert_array_equal(made.transform(new), made.transform(table))


def test_the_mark_of_numbers_is_that_of_training():
    table = pd.DataFrame({"share": ["5 %", "70 %", "9 %"]})
    made, _ = fit(table)
    np.testing.assert_array_equal(made.transform(table), made.transform(pd.DataFrame({"share": ["5", "70", "9"]})))
    with pytest.raises(InputError, match="must be a number"):
        made.transform(pd.DataFrame({"share": ["$5"]}))
    made, _ = fit(pd.DataFrame({"share": ["5", "70", "9"]}))
    with pytest.raises(InputError, match="must be a number"):
        made.transform(pd.DataFrame({"share": ["5 %"]}))


def test_a_column_of_unknown_values_only_is_said(capsys):
    made, _ = fit(pd.DataFrame({"zip": ["01067", "80331"] * 5}))
    made.transform(pd.DataFrame({"zip": ["01067", "Atlantis"]}), "new.csv")
    assert not capsys.readouterr().err
    made.transform(pd.DataFrame({"zip": ["1067"]}), "new.csv")
    assert "knows no value of the column 'zip'" in capsys.readouterr().err


def test_an_id_goes_by_its_name():
    numbers = pd.Series(rng.permutation(1000)[:50] * 13)
    assert describe(numbers, "customer_id").kind == "id"
    assert describe(numbers, "width").kind == "number"


def test_the_features_are_those_of_scikit_learn():
    prepared, _ = fit(TABLE)
    plain = TABLE.replace("", None).astype({"age": float, "income": float})
    plain["city"] = plain["city"].fillna("(missing)")
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    categories = OneHotEncoder(min_frequency=2, max_categories=50, handle_unknown="infrequent_if_exist")
    theirs = make_column_transformer((numbers, ["age", "income"]), (categories, ["city", "member"]))
    expected = theirs.fit_transform(plain)
    order = [0, 2, 1, *range(3, expected.shape[1])]  # theirs has the indicators behind all numbers
    np.testing.assert_allclose(prepared.transform(TABLE), expected[:, order], rtol=1e-6, atol=1e-6)


def test_dates_by_hand():
    table = pd.DataFrame({"day": ["2024-01-01", "2024-01-08", "2024-07-01"], "x": ["1", "2", "4"]})
    prepared, _ = fit(table)
    X = prepared.transform(table)
    names = prepared.features
    week = X[:, names.index("day cosine of the week")]
    np.testing.assert_allclose(week, week[0], atol=1e-5)  # three Mondays
    days = X[:, names.index("day days")]
    np.testing.assert_allclose((days[1] - days[0]) / (days[2] - days[0]), 7 / 182, rtol=1e-4)


@pytest.mark.parametrize("how", ["reordered", "more columns", "read again"])
def test_another_table_is_prepared_the_same(how, tmp_path):
    prepared, _ = fit(TABLE)
    X = prepared.transform(TABLE)
    other = TABLE
    if how == "reordered":
        other = TABLE[list(TABLE.columns)[::-1]]
    elif how == "more columns":
        other = TABLE.assign(more=1)
    else:
        prepared = Preparation.from_json(json.loads(json.dumps(prepared.to_json())))
    np.testing.assert_array_equal(prepared.transform(other), X)


def test_unknown_and_rare_values_share_a_feature():
    prepared, _ = fit(TABLE)
    at = prepared.features.index("city = another")
    new = TABLE[:3].assign(city=["rare 1", "Atlantis", "Pune"])
    np.testing.assert_array_equal(prepared.transform(new)[:, at], [1, 1, 0])


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("age", "old", "'age' holds 'old' in row 2 .* number"), ("income", "12 USD", "'income' holds '12 USD'")],
)
def test_a_value_that_a_column_cannot_have(column, value, words):
    prepared, _ = fit(TABLE)
    new = TABLE[:3].copy()
    new.loc[1, column] = value
    with pytest.raises(InputError, match=words):
        prepared.transform(new, "new.csv")


def test_columns_that_are_missing():
    prepared, _ = fit(TABLE)
    with pytest.raises(InputError, match=r"lacks the columns 'age', 'city'"):
        prepared.transform(TABLE.drop(columns=["age", "city"]))
    with pytest.raises(InputError, match=r"lacks the column 'city'.* Is 'City' meant"):
        prepared.transform(TABLE.rename(columns={"city": "City"}))
    with pytest.raises(InputError, match="No column is left"):
        fit(pd.DataFrame({"a": [1, 1, 1], "b": ["", "", ""]}))


@pytest.mark.parametrize("value", [None, {}, {"columns": [{"name": 3}]}, {"columns": 7, "left_out": []}])
def test_a_damaged_preparation(value):
    for kind in (Preparation, Target):
        with pytest.raises(InputError, match="damaged"):
            kind.from_json(value)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b", "a"], "classification"),
        ([True, False], "classification"),
        ([0, 1, 2, 1], "classification"),
        ([0.5, 1.5, 2.5], "regression"),
        (list(range(30)), "regression"),
    ],
)
def test_the_task_is_found(values, task):
    assert find_target(pd.Series(values), "t", None, "x.csv").task == task


def test_targets_and_back():
    target = find_target(pd.Series(["1.5", "2.5", "6.5"]), "t", None, "x.csv")
    coded = target.encode(pd.Series(["1.5", "2.5", "6.5"]), "x.csv")
    assert coded.mean() == pytest.approx(0, abs=1e-6)
    assert coded.std() == pytest.approx(1)
    np.testing.assert_allclose(target.decode(coded[:, 0]), [1.5, 2.5, 6.5], rtol=1e-6)
    names = find_target(pd.Series(["10", "9", "10"]), "t", None, "x.csv")
    assert names.classes == ("9", "10")
    assert Target.from_json(json.loads(json.dumps(names.to_json()))) == names


@pytest.mark.parametrize(
    ("values", "task", "words"),
    [
        (["a", "a"], None, "always 'a'"),
        (["1.5", "1.5"], "regression", "always 1.5"),
        (["1", "x"], "regression", "'x' in row 2"),
        ([f"v{i}" for i in range(60)], None, "60 different values"),
    ],
)
def test_targets_that_cannot_be(values, task, words):
    with pytest.raises(InputError, match=words):
        find_target(pd.Series(values), "t", task, "x.csv")
