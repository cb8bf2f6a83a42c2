"""Pages that only show where actions are not wanted: the same permission as everywhere else is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.utils.deprecation import MiddlewareMixin
from django.utils.html import format_html

from zumolib.conf import permission
from zumolib.errors import ReadOnly

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
SIGNING = frozenset({"admin:login", "admin:logout"})  # whoever may look must get in and out


class ReadOnlyPages(MiddlewareMixin):
    """Refuse every request that would change something, and offer no button for it.

    It stands before all pages, so that an action of the admin, a form or an address that comes later is held
    by it too.
    """

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Answer 403 with the reason; None lets the page be made."""
        match = request.resolver_match
        if match.view_name in SIGNING:
            return None
        try:
            permission.check()
        except ReadOnly as refused:
            if request.method not in SAFE:
                return HttpResponseForbidden(
                    format_html("<!doctype html><title>Read-only</title><p>Not done: {}</p>", str(refused))
                )
            if match.app_name == "admin":
                _let_view(request.user)
        return None


def _let_view(user: Any) -> None:
    """Leave a user, for this request, what lets them look: the admin then shows no form, button or action."""
    may = user.has_perm

    def has_perm(name: str, obj: Any = None) -> bool:
        return name.rpartition(".")[2].startswith("view_") and bool(may(name, obj))

    def has_perms(names: Collection[str], obj: Any = None) -> bool:
        return all(has_perm(name, obj) for name in names)

    user.has_perm, user.has_perms = has_perm, has_perms
