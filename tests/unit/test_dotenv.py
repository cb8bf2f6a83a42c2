"""`.env`: new secrets, addresses that our settings accept, never an existing file overwritten."""

from __future__ import annotations

import errno
import os
import stat
from urllib.parse import quote, urlsplit

import pytest
from dotenv import dotenv_values

from zumolib.conf import Conf
from zumolib.errors import InputError
from zumolib.stack.dotenv import init, sections

SECRETS = ("RABBITMQ_DEFAULT_PASS", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "ZUMO_SECRET_KEY", "JUPYTER_TOKEN")

#   address                     whose password it carries
ADDRESSES = {
    "CELERY_BROKER_URL": "RABBITMQ_DEFAULT_PASS",
    "RABBITMQ_MANAGEMENT_URL": "RABBITMQ_DEFAULT_PASS",
    "CELERY_RESULT_BACKEND": "REDIS_PASSWORD",
    "REDIS_URL": "REDIS_PASSWORD",
    "DATABASE_URL": "POSTGRES_PASSWORD",
}


def test_file_is_private_and_complete(tmp_path):
    path = init(tmp_path / ".env")
    assert path == tmp_path / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path], "nothing else is left beside it"
    assert set(dotenv_values(path)) == {*SECRETS, *ADDRESSES, "EMAIL_URL", "CELERY_WORKER_CONCURRENCY",
                                        "CELERY_LOGLEVEL", "USE_SCALE_SETTINGS", "ZUMO_UID", "MAIL_LOGIN",
                                        "REPORTS_LOGIN"}  # fmt: skip


def test_secrets_are_long_and_all_different(tmp_path):
    first, second = (dotenv_values(init(tmp_path / name)) for name in ("one", "two"))
    values = [file[name] for file in (first, second) for name in SECRETS]
    assert len(set(values)) == 2 * len(SECRETS)
    assert all(len(value) >= 48 for value in values)


@pytest.mark.parametrize(("address", "secret"), ADDRESSES.items())
def test_address_carries_its_password(tmp_path, address, secret):
    values = dotenv_values(init(tmp_path / ".env"))
    assert urlsplit(values[address]).password == values[secret] == quote(values[secret], safe="")


def test_our_settings_accept_every_value(tmp_path, monkeypatch):
    values = dotenv_values(init(tmp_path / ".env"))
    for name in Conf.model_fields:
        monkeypatch.delenv(name, raising=False)
    conf = Conf(**{name: value for name, value in values.items() if name in Conf.model_fields})
    assert values["CELERY_BROKER_URL"] == conf.CELERY_BROKER_URL
    assert conf.CELERY_WORKER_CONCURRENCY == 2
    assert conf.USE_SCALE_SETTINGS is False


def test_existing_file_is_kept(tmp_path):
    path = tmp_path / ".env"
    path.write_text("KEEP=me\n")
    with pytest.raises(InputError, match=r"exists already.*--force"):
        init(path)
    assert path.read_text() == "KEEP=me\n"


def test_force_replaces_the_file(tmp_path):
    path = tmp_path / ".env"
    path.write_text("KEEP=me\n")
    path.chmod(0o644)
    init(path, force=True)
    assert "KEEP" not in dotenv_values(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_dangling_link_is_not_followed(tmp_path):
    path = tmp_path / ".env"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="exists already"):
        init(path)
    assert not (tmp_path / "elsewhere").exists()


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(InputError, match=r"is a folder.*\.env"):
        init(tmp_path)


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match=r"absent/\.env cannot be written: No such file.*--path"):
        init(tmp_path / "absent" / ".env")


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        init(tmp_path / ".env")
    assert list(tmp_path.iterdir()) == []


#   who runs the command    owner of the files in the containers
@pytest.mark.parametrize(("uid", "owner"), [(0, "1000"), (501, "501"), (1000, "1000")])
def test_owner_of_the_containers_files(uid, owner):
    values = {name: value for part in sections(uid).values() for name, value in part.items()}
    assert values["ZUMO_UID"] == owner
