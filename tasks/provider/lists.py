"""The mailing provider's side: members of a list, put in batches by their address and read page by page."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

from tasks.provider.store import Refusal, Store

MOST = 500  # members of one request
STATES = ("subscribed", "unsubscribed")
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
Params = dict[str, Any]


def put_members(store: Store, name: str, params: Params) -> Params:
    """Create or change members; one that cannot be taken is named among the errors."""
    members = params.get("members")
    if not isinstance(members, list) or not 1 <= len(members) <= MOST:
        raise Refusal(400, "invalid_request_error", f"members must be a list of 1 to {MOST}", param="members")
    answer: Params = {"new_members": [], "updated_members": [], "errors": []}
    for given in members:
        email, status = str(given.get("email_address", "")), given.get("status")
        if not ADDRESS.fullmatch(email) or status not in STATES:
            answer["errors"].append({"email_address": email, "error": "Please provide a valid address."})
            continue
        identity = member_id(name, email)
        fields = {"email_address": email, "status": status, "merge_fields": given.get("merge_fields", {})}
        known = store.find("member", identity)
        if known is None:
            made = store.add("member", "member", _changed({"id": identity, "list_id": name} | fields))
            answer["new_members"].append(made)
        elif params.get("update_existing"):
            same = known["status"] == status
            changed = known | fields
            answer["updated_members"].append(store.put(changed if same else _changed(changed)))
        else:
            answer["errors"].append({"email_address": email, "error": f"{email} is already a list member."})
    return answer


def get_members(store: Store, name: str, params: Params) -> Params:
    """One page of a list's members, oldest first."""
    count, offset = int(params.get("count", 10)), int(params.get("offset", 0))
    if not 1 <= count <= 1000 or offset < 0:
        raise Refusal(400, "invalid_request_error", "count must be 1 to 1000, offset 0 or more")
    wanted = {"list_id": name} | {key: params[key] for key in ("status",) if key in params}
    return {
        "list_id": name,
        "members": store.slice("member", offset, count, wanted),
        "total_items": store.count("member", wanted),
    }


def member_id(name: str, email: str) -> str:
    """What a member is known by: the list, and the digest of the address in lower case."""
    return f"{name}-{hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()}"


def _changed(member: Params) -> Params:
    return member | {"last_changed": datetime.now(UTC).isoformat(timespec="seconds")}


ROUTES = (
    ("POST", re.compile(r"/3\.0/lists/(?P<id>\w+)"), put_members),
    ("GET", re.compile(r"/3\.0/lists/(?P<id>\w+)/members"), get_members),
)
