"""The sitemap of the public listings: valid by the protocol's schema, each file there whole or not at all.

https://www.sitemaps.org/protocol.html: at most 50,000 addresses a file; more go into numbered parts, and
``sitemap.xml`` becomes their index.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from tasks.base.batches import chunks
from tasks.base.parts import begun, sweep

NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
ADDRESSES_A_FILE = 50_000
INDEX = "sitemap.xml"
PLAIN: AttributesImpl[str] = AttributesImpl({})


@dataclass(frozen=True)
class Place:
    """One address of a sitemap, or one part of an index."""

    address: str
    changed_at: datetime | None = None


def listing(base: str, slug: str, changed_at: datetime) -> Place:
    """The page of one listing."""
    return Place(f"{base}/jobs/{quote(slug, safe='')}", changed_at)


def write(folder: Path, base: str, places: Iterable[Place], most: int = ADDRESSES_A_FILE) -> dict[str, int]:
    """Write ``sitemap.xml``, and its parts where `places` are more than `most`; the caller holds a lease.

    Parts are in place before the index names them, and go only when it no longer does. The schema wants
    at least one address: where there is no listing it is the page that would show them.

    Returns
    -------
    dict
        ``addresses``, ``files`` and ``bytes`` written, ``removed`` parts of an earlier sitemap.

    Raises
    ------
    OSError
        The folder cannot be written; the earlier sitemap is untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    counts = {"addresses": 0, "files": 0, "bytes": 0, "removed": 0}
    files = chunks(places, most)
    first, second = next(files, []), next(files, None)
    parts: list[Place] = []
    if second is None:
        counts["addresses"] = len(first)
        _put(folder / INDEX, "urlset", "url", first or [Place(f"{base}/jobs")], counts)
    else:
        for number, part in enumerate(chain((first, second), files), start=1):
            counts["addresses"] += len(part)
            _put(folder / _part(number), "urlset", "url", part, counts)
            changes = [place.changed_at for place in part if place.changed_at]
            parts.append(Place(f"{base}/{_part(number)}", max(changes, default=None)))
        _put(folder / INDEX, "sitemapindex", "sitemap", parts, counts)
    wanted = {_part(number) for number in range(1, len(parts) + 1)}
    for path in folder.glob("sitemap-*.xml"):
        if path.name not in wanted:
            path.unlink(missing_ok=True)
            counts["removed"] += 1
    return counts


def _part(number: int) -> str:
    return f"sitemap-{number}.xml"


def _put(path: Path, root: str, item: str, places: Iterable[Place], counts: dict[str, int]) -> None:
    beside = begun(path.parent, path.name)
    try:
        with beside.open("wb") as file:
            xml = XMLGenerator(file, "utf-8", short_empty_elements=True)
            xml.startDocument()
            xml.startElement(root, AttributesImpl({"xmlns": NAMESPACE}))
            for place in places:
                xml.characters("\n")
                xml.startElement(item, PLAIN)
                _element(xml, "loc", place.address)
                if place.changed_at is not None:
                    _element(xml, "lastmod", place.changed_at.astimezone(UTC).isoformat(timespec="seconds"))
                xml.endElement(item)
            xml.characters("\n")
            xml.endElement(root)
            xml.endDocument()
            file.flush()
            os.fsync(file.fileno())
        counts["bytes"] += beside.stat().st_size
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    counts["files"] += 1


def _element(xml: XMLGenerator, name: str, text: str) -> None:
    xml.startElement(name, PLAIN)
    xml.characters(text)
    xml.endElement(name)
