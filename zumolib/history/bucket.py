"""A history in an object store: Amazon's S3 and what speaks its language, Google's, Azure's.

Files are written once and never change, so each is fetched once and read from a local cache afterwards,
like any file on disk. The store itself decides who commits: a manifest is put only where there is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from zumolib.errors import HistoryError
from zumolib.history.place import Entry, temporary

# Of files fetched; beyond it, those go that were not used for longest.
CACHE_BYTES = 5_000_000_000

TIMEOUT = 60  # seconds for one request

# Background work of a process that died is taken up after this long, in seconds. Two at once would do no
# harm, since only one of them can commit; it would be work for nothing.
LEASE_SECONDS = 120
LEASE = "background.json"


class Bucket:
    """A folder of an object store.

    Parameters
    ----------
    url
        As ``s3://bucket/prefix``, ``gs://…`` or ``az://…``. What the store's usual variables
        (``AWS_ACCESS_KEY_ID``, …) do not say may stand in the query: ``?endpoint=http://…&region=…``.
    root
        A local folder for the cache, and for what belongs to this machine.
    patience
        Seconds after which the store does not answer; None for :data:`TIMEOUT` and some attempts more.

    Raises
    ------
    HistoryError
        The URL is not understood.
    """

    def __init__(self, url: str, root: Path, *, patience: int | None = None) -> None:
        from obstore.exceptions import BaseError
        from obstore.store import from_url

        split = urlsplit(url)
        options = dict(parse_qsl(split.query))
        self.url = split._replace(query="").geturl()
        self.root = root
        store: Any = from_url  # its overloads know the options of every provider by name
        plain = options.get("endpoint", "").startswith("http://")
        try:
            self._store: Any = store(
                self.url,
                config=options,
                client_options={"allow_http": plain, "timeout": f"{patience or TIMEOUT}s"},
                retry_config={"max_retries": 3 if patience is None else 0},
            )
        except (BaseError, ValueError) as error:
            raise HistoryError(
                f"{self.url} is no address of an object store ({_reason(error)}); use s3://bucket/prefix"
            ) from error
        self._owner = secrets.token_hex(8)

    def entries(self, folder: str) -> list[Entry]:
        with self._asked():
            found = [
                Entry(item["path"], item["size"], item["last_modified"].timestamp())
                for page in self._store.list(f"{folder}/")
                for item in page
            ]
        return sorted(found, key=lambda entry: entry.name)

    def path(self, name: str) -> Path:
        kept = self._kept(name)
        with contextlib.suppress(FileNotFoundError):
            os.utime(kept)  # it is in use
            return kept
        content = self.read(name)
        self._make_room(len(content))
        self._keep(kept, content)
        return kept

    def read(self, name: str) -> bytes:
        with self._asked():
            return bytes(self._store.get(name).bytes())

    def put(self, name: str, write: Callable[[Path], object]) -> int:
        with self.spill() as spill:
            part = spill / "part"
            write(part)
            content = part.read_bytes()
        with self._asked():
            self._store.put(name, content)
        # Whoever writes a file is likely to read it soon; but a recorder's own are only folded once.
        self._keep(self._kept(name), content)
        return len(content)

    def claim(self, name: str, content: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError

        with self._asked():
            try:
                self._store.put(name, content, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def delete(self, name: str) -> None:
        with self._asked(), contextlib.suppress(FileNotFoundError):
            self._store.delete(name)
        with contextlib.suppress(OSError):
            self._kept(name).unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        if not self._take_lease():
            yield False
            return
        try:
            yield True
        finally:
            self.delete(LEASE)

    def clean(self, before: float) -> None:
        for part in (self.root / "cache").rglob(".*.part"):
            with contextlib.suppress(OSError):
                if part.stat().st_mtime < before:
                    part.unlink()

    def spill(self) -> AbstractContextManager[Path]:
        return temporary()

    def _take_lease(self) -> bool:
        lease = json.dumps({"owner": self._owner, "until": time.time() + LEASE_SECONDS}).encode()
        if self.claim(LEASE, lease):
            return True
        try:
            until = float(json.loads(self.read(LEASE))["until"])
        except FileNotFoundError:
            return False  # given back just now; the next round will have it
        except (ValueError, TypeError, KeyError):
            until = 0.0
        if abs(until - time.time()) <= LEASE_SECONDS:
            return False
        with self._asked():
            self._store.put(LEASE, lease)
        return True

    def _kept(self, name: str) -> Path:
        return self.root / "cache" / name

    def _keep(self, kept: Path, content: bytes) -> None:
        part = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}.part")
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.rename(kept)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise HistoryError(
                f"{kept.parent} cannot be written ({error.strerror}); free space or make it writable"
            ) from error

    def _make_room(self, wanted: int) -> None:
        files = []
        for path in (self.root / "cache").rglob("*.parquet"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                files.append((stat.st_mtime, stat.st_size, path))
        total = sum(size for _, size, _ in files) + wanted
        for _, size, path in sorted(files):
            if total <= CACHE_BYTES:
                return
            path.unlink(missing_ok=True)
            total -= size

    @contextmanager
    def _asked(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            raise HistoryError(
                f"{self.url} does not answer ({_reason(error)}); look at its address and keys"
            ) from error


def _reason(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
