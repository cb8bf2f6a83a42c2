from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from zumolib import conf
from zumolib.errors import ConfError

# variable, wrong value, what the message must name besides both
WRONG = [
    ("CELERY_BROKER_URL", "htp://h", "amqp://user:password@host:5672/vhost"),
    ("CELERY_BROKER_URL", "amqp://", "amqp://user:password@host:5672/vhost"),
    ("CELERY_BROKER_URL", "redis://h:99999/0", "Port out of range".lower()),
    ("REDIS_URL", "redis://h:6379/0/2", "not a valid number of a Redis database"),
    ("CELERY_RESULT_BACKEND", "file:///tmp", "redis://host:6379/1"),
    ("CELERY_WORKER_CONCURRENCY", "many", "unset CELERY_WORKER_CONCURRENCY to use '2'"),
    ("CELERY_WORKER_CONCURRENCY", "0", "greater than or equal to 1"),
    ("CELERY_LOGLEVEL", "loud", "'debug', 'info'"),
    ("USE_SCALE_SETTINGS", "perhaps", "unset USE_SCALE_SETTINGS"),
    ("DATABASE_URL", "mysql://h/x", "postgres://user:password@host:5432/name"),
    ("REDIS_URL", "6379", "redis://host:6379/0"),
    ("EMAIL_URL", "localhost:25", "smtp://"),
    ("ZUMO_READ_ONLY", "maybe", "unset ZUMO_READ_ONLY"),
    ("ZUMO_MIN_FREE_MB", "-1", "greater than or equal to 0"),
]


@pytest.mark.parametrize(("name", "value", "remedy"), WRONG)
def test_a_wrong_value_names_variable_value_and_remedy(
    name: str, value: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfError) as caught:
        conf.read()
    message = str(caught.value)
    assert message.startswith(f"{name}={value!r}")
    assert remedy in message
    assert "\n" not in message


# variable, wrong value, what is shown of it
SECRET = [
    ("CELERY_BROKER_URL", "htp://user:hush@h", "htp://user:***@h"),
    ("REDIS_URL", "redis//user:hush@h", "redis//user:***@h"),
    ("DATABASE_URL", "host=h hush", "***"),
    ("DATABASE_URL", "postgresql//user:hush@h/x", "***"),
]


@pytest.mark.parametrize(("name", "value", "shown"), SECRET)
def test_a_password_is_not_in_the_message(
    name: str, value: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfError, match=re.escape(f"{name}={shown!r}: ")):
        conf.read()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        conf.read().CELERY_WORKER_CONCURRENCY = 3  # type: ignore[misc]


def test_the_stack_file_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {"REDIS_URL": "redis://127.0.0.1:1/0", "EMAIL_URL": "smtp://127.0.0.1:2"}
    (tmp_path / "stack.json").write_text(json.dumps({"settings": chosen}))
    monkeypatch.setenv("ZUMO_HOME", str(tmp_path))
    monkeypatch.setenv("EMAIL_URL", "smtp://mail.example:25")
    read = conf.read()
    assert (read.REDIS_URL, read.EMAIL_URL) == ("redis://127.0.0.1:1/0", "smtp://mail.example:25")
    source = {row.name: row.source for row in conf.explain(read)}
    assert source["REDIS_URL"] == "embedded stack"
    assert source["EMAIL_URL"] == "environment"
    assert source["CELERY_LOGLEVEL"] == "default"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"settings": 3}'])
def test_a_damaged_stack_file_is_named(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stack.json").write_text(text)
    monkeypatch.setenv("ZUMO_HOME", str(tmp_path))
    with pytest.raises(ConfError, match=r"stack\.json is damaged; delete it"):
        conf.read()


def test_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZUMO_SECRET_KEY", "hush-1")
    monkeypatch.setenv("STRIPE_API_KEY", "hush-2")
    monkeypatch.setenv("DATABASE_URL", "postgres://me:hush-3@h:5432/x")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://:hush-4@h:6379/2")
    text = str(conf.explain(conf.read()))
    assert "hush" not in text
    assert "postgres://me:***@h:5432/x" in text


def test_the_history_is_a_folder_or_a_bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZUMO_HOME", str(tmp_path))
    assert conf.read().history == conf.read().history_folder == tmp_path / "history"
    monkeypatch.setenv("ZUMO_HISTORY", str(tmp_path / "other"))
    assert conf.read().history == conf.read().history_folder == tmp_path / "other"
    url = "s3://bucket/prefix?endpoint=http://127.0.0.1:9&access_key_id=hush-5&secret_access_key=hush-6"
    monkeypatch.setenv("ZUMO_HISTORY", url)
    assert conf.read().history == url
    assert conf.read().history_folder.is_relative_to(tmp_path)
    assert "hush" not in str(conf.explain(conf.read()))
    monkeypatch.setenv("ZUMO_HISTORY", "ftp://host/path")
    with pytest.raises(ConfError, match=r"ZUMO_HISTORY='ftp://host/path'.*s3://"):
        conf.read()


def test_the_command_says_it_in_one_line_and_exits_with_2() -> None:
    environment = {**os.environ, "CELERY_WORKER_CONCURRENCY": "many"}
    command = [sys.executable, "-m", "zumolib", "conf"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("zumo: CELERY_WORKER_CONCURRENCY='many': ")
    assert done.stderr.count("\n") == 1


def test_nothing_else_reads_the_environment() -> None:
    package = Path(conf.__file__).parents[1]
    readers = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
    ]
    assert sorted(readers) == ["conf/process.py", "conf/settings.py"]
