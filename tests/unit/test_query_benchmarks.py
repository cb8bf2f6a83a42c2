"""The benchmarks of questions: what they generate is a history, rivals say the same, a missed bar is told."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from benchmarks import __main__ as every
from benchmarks import generated, growth, query, rivals
from zumolib.frames import tasks
from zumolib.frames.window import Window
from zumolib.history import History, queries

RECORDS, DAYS = 3_000, 3
WHOLE = Window(generated.END - DAYS * generated.DAY, generated.END)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return generated.make(tmp_path_factory.mktemp("generated") / "history", RECORDS, DAYS)


def test_what_is_generated_is_a_history(history: History) -> None:
    found = tasks.records(history, WHOLE)
    assert len(found) == found["task_id"].nunique() == RECORDS
    assert found["finished"].between(WHOLE.start, WHOLE.end, inclusive="left").all()
    waited = (found["started"] - found["sent"]).dt.total_seconds()
    pd.testing.assert_series_equal(found["queue_wait"], waited, check_names=False)
    ran = (found["finished"] - found["started"]).dt.total_seconds()
    pd.testing.assert_series_equal(found["run_time"], ran, check_names=False)
    assert found["queue"].nunique() == len(generated.QUEUES)
    assert found["worker"].nunique() == generated.WORKERS
    assert found["name"].nunique() > 0.9 * generated.NAMES
    assert found["name"].value_counts().iloc[0] > 5 * found["name"].value_counts().median()
    assert history.coverage().files == DAYS
    for path in Path(history.root).glob("tasks/*/*.parquet"):
        assert pd.read_parquet(path, columns=["finished"])["finished"].is_monotonic_increasing


def test_what_is_generated_is_settled_as_the_store_would(history: History, tmp_path: Path) -> None:
    files = [str(path) for path in Path(history.root).glob("tasks/*/*.parquet")]
    stored = f"(SELECT * FROM read_parquet({files}, hive_partitioning = false))"
    partials = queries.query("partials_of_records", records=stored)
    again = queries.query("records", partials=f"({queries.query('merged', partials=partials)})")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        kept = ", ".join(
            column for column in tasks.RECORDS if column != "entry_matched"
        )  # concluded, not stored
        for one, other in ((stored, again), (again, stored)):
            one, other = (f"(SELECT {kept} FROM ({text}))" for text in (one, other))
            assert connection.sql(f"{one} EXCEPT {other}").fetchall() == []


def test_it_is_the_same_at_every_run(history: History, tmp_path: Path) -> None:
    again = generated.make(tmp_path / "history", RECORDS, DAYS)
    pd.testing.assert_frame_equal(tasks.records(again, WHOLE), tasks.records(history, WHOLE))


@pytest.mark.parametrize("name", [name for name in rivals.RIVALS if name != "postgresql"])
@pytest.mark.parametrize("window", list(query.windows(DAYS)))
def test_a_rival_gives_the_same_answer(history: History, name: str, window: str) -> None:
    start, end = query.windows(DAYS)[window]
    rival = rivals.RIVALS[name](rivals.Files(Path(history.root)))
    try:
        ours = query.ours(history)
        truth = ours.answer(ours.ask(start, end, 60))
        assert truth
        assert rivals.same(truth, rival.answer(rival.ask(start, end, 60)))
    finally:
        rival.close()
    name, row = next(iter(truth.items()))
    assert not rivals.same(truth, {**truth, name: (row[0] + 1, *row[1:])})


def test_a_rival_that_takes_too_long_is_stopped(history: History) -> None:
    rival = rivals.SQLite(rivals.Files(Path(history.root)))
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT name, sum(i), 1 FROM n, task"
    )
    rival._ranks = lambda column, within: f"{endless} WHERE {within}"  # type: ignore[method-assign]
    try:
        with pytest.raises(rivals.TooSlow):
            rival.ask(WHOLE.start, WHOLE.end, 0.2)
    finally:
        rival.close()


def asked(name: str, seconds: float) -> query.Asked:
    return query.Asked(name, lambda *_: None, lambda _: {}, {"one day": [9.0, seconds, seconds, seconds]})


# hand-written, PostgreSQL | what is said of a frame that took a second
@pytest.mark.parametrize(
    ("floor", "postgresql", "said"),
    [
        (1.0, 20.0, ""),
        (0.8, 10.0, ""),
        (0.7, 20.0, "1.43 times the hand-written"),
        (1.0, 9.0, "only 9.0 times as fast"),
    ],
)
def test_a_missed_bar_is_told(
    floor: float, postgresql: float, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [asked(rivals.DuckDB.name, floor), asked("PostgreSQL 15", postgresql)]
    code = query.show([asked("the frame", 1.0), *others], 1_000, 1)
    out = capsys.readouterr().out
    assert code == (1 if said else 0)
    assert (said or "Every bar is met") in out
    assert "| one day | 1 s |" in out


def test_an_answer_that_differs_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    other = asked("pandas", 2.0)
    other.wrong.add("one day")
    assert query.show([asked("the frame", 1.0), other], 1_000, 1) == 1
    assert "pandas answers otherwise for the one day" in capsys.readouterr().out


def test_growth_compares_the_largest_with_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"days": 3, "files": 3, "bytes": 1e9, "last hour": 0.01}
    assert growth.show([1, 10], {1: {**row, "one day": 1.0}, 10: {**row, "one day": 1.1}}) == 0
    assert growth.show([1, 10], {1: {**row, "one day": 1.0}, 10: {**row, "one day": 1.3}}) == 1
    assert "1.30" in capsys.readouterr().out


def test_both_run_on_a_small_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--records", "2000", "--days", "2", "--rounds", "1", "--rivals", "duckdb,pandas"]
    query.main([*small, "--folder", str(tmp_path / "history")])
    growth.main(["--records", "1000,2000", "--a-day", "500", "--rounds", "1", "--folder", str(tmp_path)])
    out = capsys.readouterr().out
    assert "2,000 task records over 2 days" in out
    assert "| 2,000 | 4 | 4 |" in out
    assert "answers otherwise" not in out
    with pytest.raises(SystemExit, match="oracle: no such rival"):
        query.main(["--rivals", "oracle"])


def test_every_benchmark_is_found_and_told_of() -> None:
    names = [module.__name__.rpartition(".")[2] for module in every.found()]
    assert {"tasks", "query", "growth"} <= set(names)
    told = Path(query.__file__).with_name("README.md").read_text()
    for name in names:
        assert f"`python -m benchmarks.{name}`" in told
