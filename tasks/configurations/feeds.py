"""Feeds of records as JSON, from a file or over HTTP, with limits on time and size."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tasks.base.errors import FeedError

MOST_BYTES = 10 * 1024 * 1024  # unpacked
MOST_RECORDS = 50_000
CONNECT_SECONDS, READ_SECONDS = 5, 20  # READ_SECONDS between two pieces of the answer
ALL_SECONDS = 60  # for the whole answer: a server that drips must not hold a worker
PIECE = 64 * 1024
REDIRECTS = 5
COME_BACK = {408, 425, 429, *range(500, 600)}  # statuses of trouble that may pass


def read(source: str, name: str) -> list[Any]:
    """The records of a feed: a JSON list, or an object that holds the list under `name`.

    Parameters
    ----------
    source
        An http(s) URL, or the path of a file.
    name
        What the records are: ``"skills"``.

    Raises
    ------
    FeedError
        It is not there, is too large, or is no such list.
    requests.ConnectionError, requests.Timeout
        The server does not answer, or has trouble that may pass.
    """
    scheme = urlsplit(source).scheme.lower()
    if scheme in ("http", "https"):
        content = _download(source)
    elif "://" in source:
        raise FeedError(f"{source!r} has the scheme {scheme!r}; use a path, http:// or https://")
    else:
        content = _file(Path(source))
    try:
        records = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"{source} is no JSON ({error}); look at what it holds") from error
    if isinstance(records, dict):
        records = records.get(name)
    if not isinstance(records, list):
        raise FeedError(f'{source} is no list of {name}; expected [...] or {{"{name}": [...]}}')
    if len(records) > MOST_RECORDS:
        raise FeedError(f"{source} has {len(records)} {name}; split it, {MOST_RECORDS} are taken at most")
    return records


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise FeedError(f"{path} cannot be read ({error}); name a file that is there") from error
    return _small(content, str(path))


def _download(url: str) -> bytes:
    end = time.monotonic() + ALL_SECONDS
    content = bytearray()
    with requests.Session() as session:
        session.max_redirects = REDIRECTS
        try:
            with session.get(
                url,
                stream=True,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                headers={"Accept": "application/json"},
            ) as answer:
                _check(answer.status_code, url)
                for piece in answer.iter_content(PIECE):
                    content += piece
                    _small(content, url)
                    if time.monotonic() > end:
                        raise requests.Timeout(f"{url} sent {len(content)} bytes in {ALL_SECONDS} s")
        except (requests.ConnectionError, requests.Timeout):
            raise
        except requests.exceptions.ChunkedEncodingError as error:  # the connection broke on the way
            raise requests.ConnectionError(f"{url} broke off: {error}") from error
        except requests.RequestException as error:
            raise FeedError(f"{url} cannot be read ({error}); look at the address") from error
    return bytes(content)


def _check(status: int, url: str) -> None:
    if status in COME_BACK:
        raise requests.ConnectionError(f"{url} answers {status}")
    if status != 200:
        raise FeedError(f"{url} answers {status}; look at the address")


def _small(content: Any, source: str) -> Any:
    if len(content) > MOST_BYTES:
        raise FeedError(f"{source} is larger than {MOST_BYTES} bytes; split it")
    return content
