"""What the stand-in knows: objects and the answers given under each idempotency key, in one SQLite file."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS object_kind ON object (kind, seq);
CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL
);
"""
MAX_PAGE = 100
Answer = tuple[int, dict[str, Any]]


class Refusal(Exception):
    """An error that the provider's protocol knows."""

    def __init__(self, status: int, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.answer: Answer = status, {"error": {"type": kind, "message": message, **more}}


class Store:
    """Objects by id, newest first in lists. One request at a time, each one transaction."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def once(self, key: str | None, request: str, work: Callable[[], Answer]) -> tuple[Answer, bool]:
        """Do `work` in one transaction; under a key that was used before, give the answer from then.

        Returns the answer and whether it is from then.
        """
        digest = hashlib.sha256(request.encode()).hexdigest()
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if key and (known := self._known(key)):
                    return self._replayed(known, digest), True
                try:
                    answer = work()
                except Refusal as refusal:
                    answer = refusal.answer
                # As the provider does: an answer is kept once the request was well-formed and begun.
                if key and answer[0] not in (400, 401, 404):
                    self._db.execute(
                        "INSERT INTO answer VALUES (?, ?, ?, ?)",
                        (key, digest, answer[0], json.dumps(answer[1])),
                    )
                return answer, False
            finally:
                self._db.execute("COMMIT")

    def _known(self, key: str) -> tuple[str, int, str] | None:
        row = self._db.execute("SELECT request, status, body FROM answer WHERE key = ?", (key,)).fetchone()
        return row and tuple(row)

    @staticmethod
    def _replayed(known: tuple[str, int, str], digest: str) -> Answer:
        request, status, body = known
        if request != digest:
            text = "Keys for idempotent requests can only be used with the same parameters."
            return Refusal(400, "idempotency_error", text).answer
        return status, json.loads(body)

    def add(self, kind: str, prefix: str, fields: dict[str, Any]) -> dict[str, Any]:
        """A new object; `fields` may name its id."""
        made = {
            "id": f"{prefix}_{secrets.token_hex(12)}",
            "object": kind,
            "created": int(time.time()),
            "livemode": False,
            **fields,
        }
        try:
            self._db.execute(
                "INSERT INTO object (id, kind, body) VALUES (?, ?, ?)", (made["id"], kind, json.dumps(made))
            )
        except sqlite3.IntegrityError:
            raise Refusal(
                400, "invalid_request_error", f"{made['id']} exists already", code="resource_already_exists"
            ) from None
        return made

    def has(self, identity: str) -> bool:
        """Whether anything has this id."""
        return self._db.execute("SELECT 1 FROM object WHERE id = ?", (identity,)).fetchone() is not None

    def get(self, kind: str, identity: str) -> dict[str, Any]:
        """The object, or the provider's 404."""
        row = self._db.execute(
            "SELECT body FROM object WHERE id = ? AND kind = ?", (identity, kind)
        ).fetchone()
        if row is None:
            raise Refusal(
                404,
                "invalid_request_error",
                f"No such {kind}: '{identity}'",
                code="resource_missing",
                param="id",
            )
        return dict(json.loads(row[0]))

    def find(self, kind: str, identity: str) -> dict[str, Any] | None:
        """The object, or None."""
        try:
            return self.get(kind, identity)
        except Refusal:
            return None

    def put(self, changed: dict[str, Any]) -> dict[str, Any]:
        """Store a changed object."""
        self._db.execute("UPDATE object SET body = ? WHERE id = ?", (json.dumps(changed), changed["id"]))
        return changed

    def page(
        self,
        kind: str,
        path: str,
        params: dict[str, Any],
        filters: tuple[str, ...],
        without: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """One page of a list, newest first, as the provider pages; `without` those that hold a value."""
        limit = int(params.get("limit", 10))
        if not 1 <= limit <= MAX_PAGE:
            raise Refusal(400, "invalid_request_error", f"limit must be 1 to {MAX_PAGE}", param="limit")
        where, values = ["kind = ?"], [kind]
        for parameter, comparison in (("starting_after", "<"), ("ending_before", ">")):
            if parameter in params:
                self.get(kind, params[parameter])  # 404 for an unknown place
                where.append(f"seq {comparison} (SELECT seq FROM object WHERE id = ?)")
                values.append(params[parameter])
        for name in filters:
            if name in params:
                where.append(f"json_extract(body, '$.{name}') = ?")
                values.append(params[name])
        for name, value in (without or {}).items():
            where.append(f"json_extract(body, '$.{name}') <> ?")
            values.append(value)
        since = params.get("created", {})
        for name, comparison in (("gte", ">="), ("gt", ">"), ("lte", "<="), ("lt", "<")):
            if isinstance(since, dict) and name in since:
                where.append(f"json_extract(body, '$.created') {comparison} CAST(? AS INTEGER)")
                values.append(since[name])
        order = "ASC" if "ending_before" in params else "DESC"
        rows = self._db.execute(
            f"SELECT body FROM object WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?",
            (*values, limit + 1),
        ).fetchall()
        data = [json.loads(row[0]) for row in rows[:limit]]
        data = data[::-1] if order == "ASC" else data
        return {"object": "list", "url": path, "has_more": len(rows) > limit, "data": data}

    def total(self, kind: str, field: str, **equal: str) -> int:
        """Sum of a number over the objects of a kind."""
        where = "".join(f" AND json_extract(body, '$.{name}') = ?" for name in equal)
        row = self._db.execute(
            f"SELECT COALESCE(SUM(json_extract(body, '$.{field}')), 0) FROM object WHERE kind = ?{where}",
            (kind, *equal.values()),
        ).fetchone()
        return int(row[0])

    def slice(self, kind: str, offset: int, limit: int, equal: dict[str, str]) -> list[dict[str, Any]]:
        """`limit` objects of a kind, oldest first, after the first `offset`."""
        rows = self._db.execute(
            f"SELECT body FROM object WHERE {self._where(equal)} ORDER BY seq LIMIT ? OFFSET ?",
            (kind, *equal.values(), limit, offset),
        )
        return [json.loads(row[0]) for row in rows]

    def count(self, kind: str, equal: dict[str, str]) -> int:
        """How many objects of a kind there are."""
        where = self._where(equal)
        row = self._db.execute(f"SELECT COUNT(*) FROM object WHERE {where}", (kind, *equal.values()))
        return int(row.fetchone()[0])

    @staticmethod
    def _where(equal: dict[str, str]) -> str:
        return " AND ".join(["kind = ?", *(f"json_extract(body, '$.{name}') = ?" for name in equal)])
