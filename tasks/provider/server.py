"""The stand-in's HTTP side: form bodies in, JSON out, as the provider's protocol has it."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tasks.provider.api import answer
from tasks.provider.store import Refusal, Store

logger = logging.getLogger(__name__)
MAX_BODY = 1 << 20  # bytes
TEST_KEYS = "sk_test_"


def nested(form: str) -> dict[str, Any]:
    """The parameters of a form: ``a[b]=1`` becomes ``{"a": {"b": "1"}}``."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+", name) or [name]
        place = found
        for deeper in rest:
            inner = place.setdefault(first, {})
            if not isinstance(inner, dict):
                raise Refusal(400, "invalid_request_error", f"Invalid parameter {name}", param=name)
            place, first = inner, deeper
        place[first] = value
    return found


def structured(body: str) -> dict[str, Any]:
    """The parameters of a JSON body."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refusal(400, "invalid_request_error", "The body must be a JSON object.")
    return found


class Handler(BaseHTTPRequestHandler):
    """One request; the server carries the store."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Retrieve or list."""
        self._reply(None)

    def do_POST(self) -> None:
        """Create or change, once a key."""
        self._reply(self.headers.get("Idempotency-Key"))

    def do_DELETE(self) -> None:
        """Cancel."""
        self._reply(None)

    def _reply(self, key: str | None) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            self._send(413, {"error": {"type": "invalid_request_error", "message": "body too long"}}, False)
            return
        form = self.rfile.read(length).decode("utf-8", "replace") if length else url.query
        try:
            self._authenticate()
            params = structured(form) if self._is_json() else nested(form)
        except Refusal as refusal:
            self._send(*refusal.answer, False)
            return
        store, method = self.server.store, self.command
        (status, body), replayed = store.once(
            key, f"{method} {url.path} {form}", lambda: answer(store, method, url.path, params)
        )
        self._send(status, body, replayed)

    def _is_json(self) -> bool:
        return self.headers.get("Content-Type", "").startswith("application/json")

    def _authenticate(self) -> None:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            try:
                name, _, word = base64.b64decode(given).decode().partition(":")
                given = word or name  # payments give the key as the name, mailing as the password
            except (binascii.Error, UnicodeDecodeError):
                given = ""
        if not given.startswith(TEST_KEYS):
            raise Refusal(401, "invalid_request_error", f"Invalid API Key; the stand-in takes {TEST_KEYS}…")

    def _send(self, status: int, body: dict[str, Any], replayed: bool) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Request-Id", f"req_{secrets.token_hex(7)}")
        if replayed:
            self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """To the log, at the level of detail."""
        logger.debug(format, *args)


class Server(ThreadingHTTPServer):
    """The stand-in, listening."""

    daemon_threads = True

    def __init__(self, host: str, port: int, store: Store) -> None:
        super().__init__((host, port), Handler)
        self.store = store
