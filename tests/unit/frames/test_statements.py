"""The frames' SQL: a name means one statement, and text is made of nothing that a caller wrote."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import zumolib
from zumolib.errors import InputError
from zumolib.frames.statements import COUNT, MOMENT, REAL, SOME, TEXT, Condition, frame, grouping


def test_a_name_means_one_statement_in_the_whole_package() -> None:
    texts = [path.read_text() for path in Path(zumolib.__file__).parent.rglob("*.sql")]
    names = Counter(name for text in texts for name in re.findall(r"^-- name: (\w+)$", text, re.MULTILINE))
    assert [name for name, times in names.items() if times > 1] == []
    assert names["frame_latency"] == 1


# filters | SQL | values
@pytest.mark.parametrize(
    ("filters", "sql", "values"),
    [
        ({}, "true", {}),
        ({"name": None}, "true", {}),
        ({"name": "'; --"}, "name IN ($name_0)", {"name_0": "'; --"}),
        ({"queue": ["a", "b"]}, "queue IN ($queue_0, $queue_1)", {"queue_0": "a", "queue_1": "b"}),
        ({"state": ()}, "false", {}),
        (
            {"name": "a", "worker": "w"},
            "name IN ($name_0) AND worker IN ($worker_0)",
            {"name_0": "a", "worker_0": "w"},
        ),
    ],
)
def test_a_filter_is_a_column_and_parameters(
    filters: dict[str, object], sql: str, values: dict[str, str]
) -> None:
    condition = Condition(filters)
    assert (condition.sql, condition.values) == (sql, values)


def test_only_known_columns_reach_the_text() -> None:
    with pytest.raises(InputError, match="filter by queue"):
        Condition({"name": "a"}, ["queue"])
    with pytest.raises(InputError, match="tasks group by name"):
        grouping(["name", "1; DROP TABLE task"])
    assert grouping(["name", "name"]) == ("name",)


def test_a_frame_has_its_dtypes_with_and_without_rows() -> None:
    dtypes = {"t": TEXT, "c": COUNT, "s": SOME, "r": REAL, "m": MOMENT}
    types = [pa.string(), pa.int64(), pa.int32(), pa.float64(), pa.timestamp("us", tz="UTC")]
    schema = pa.schema(list(zip(dtypes, types, strict=True)))
    rows = [
        {"t": "x", "c": 1, "s": None, "r": None, "m": None},
        {"t": None, "c": 2, "s": 3, "r": 0.5, "m": 0},
    ]
    empty, full = (frame(pa.Table.from_pylist(r, schema=schema), dtypes, "Europe/Paris") for r in ([], rows))
    assert list(empty.dtypes.astype(str)) == [
        "str",
        "int64",
        "Int64",
        "float64",
        "datetime64[us, Europe/Paris]",
    ]
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
    assert full["m"].iloc[1] == pd.Timestamp("1970-01-01T01:00+01:00")
    assert full.isna().sum().to_dict() == {"t": 1, "c": 0, "s": 1, "r": 1, "m": 1}
