"""The requests that the stand-in answers, and the rules of money behind them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from tasks.provider import lists
from tasks.provider.store import Answer, Refusal, Store

DECLINES = {
    "pm_card_chargeDeclined": ("generic_decline", "Your card was declined."),
    "pm_card_chargeDeclinedInsufficientFunds": ("insufficient_funds", "Your card has insufficient funds."),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "Your card has expired."),
    "pm_card_chargeDeclinedLostCard": ("lost_card", "Your card was declined."),
    "pm_card_authenticationRequired": ("authentication_required", "This payment needs authentication."),
}
SLOW = ("pm_usBankAccount", "pm_sepaDebit")  # processing first, paid when asked for again
PERIOD = 30 * 24 * 3600  # seconds of a subscription's period
PAST = re.compile(r"pi_demo_\w+_(?P<cents>\d{1,15})")  # charges from before the stand-in began, by their id
Params = dict[str, Any]
Work = Callable[[Store, str, Params], Params]


def answer(store: Store, method: str, path: str, params: Params) -> Answer:
    """The provider's answer to one request."""
    for verb, pattern, work in (*ROUTES, *lists.ROUTES):
        if verb == method and (match := pattern.fullmatch(path)):
            identity = match.groupdict().get("id") or path
            return 200, work(store, identity, params)
    raise Refusal(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}).")


def _create_intent(store: Store, path: str, params: Params) -> Params:
    amount = _whole(params, "amount", least=1)
    if not re.fullmatch(r"[a-z]{3}", str(params.get("currency", ""))):
        raise Refusal(400, "invalid_request_error", "currency must be an ISO code", param="currency")
    method = params.get("payment_method")
    if method and not str(method).startswith(("pm_", "card_", "src_")):
        raise Refusal(
            400, "invalid_request_error", f"No such PaymentMethod: '{method}'", param="payment_method"
        )
    intent = store.add(
        "payment_intent",
        "pi",
        {
            "amount": amount,
            "amount_received": 0,
            "currency": params["currency"],
            "customer": params.get("customer"),
            "payment_method": method,
            "metadata": params.get("metadata", {}),
            "status": "requires_confirmation" if method else "requires_payment_method",
            "last_payment_error": None,
            "latest_charge": None,
        },
    )
    return _confirm(store, intent["id"], {}) if params.get("confirm") == "true" else intent


def _confirm(store: Store, identity: str, params: Params) -> Params:
    intent = store.get("payment_intent", identity)
    intent["payment_method"] = params.get("payment_method", intent["payment_method"])
    method = intent["payment_method"]
    if intent["status"] not in ("requires_confirmation", "requires_payment_method") or not method:
        raise Refusal(
            400,
            "invalid_request_error",
            f"This PaymentIntent could not be confirmed because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    if method in DECLINES:
        decline, message = DECLINES[method]
        code = decline if decline == "authentication_required" else "card_declined"
        error = {"type": "card_error", "code": code, "decline_code": decline, "message": message}
        intent |= {"status": "requires_payment_method", "last_payment_error": error}
        store.put(intent)
        raise Refusal(402, "card_error", message, code=code, decline_code=decline, payment_intent=intent)
    if method in SLOW:
        return store.put(intent | {"status": "processing"})
    return store.put(_paid(intent))


def _paid(intent: Params) -> Params:
    charge = "ch_" + intent["id"].removeprefix("pi_")
    return intent | {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge}


def _get_intent(store: Store, identity: str, params: Params) -> Params:
    intent = _intent(store, identity)
    return store.put(_paid(intent)) if intent["status"] == "processing" else intent


def _intent(store: Store, identity: str) -> Params:
    """A charge, also one that demo data says was made long ago; it becomes known as paid."""
    past = PAST.fullmatch(identity)
    if past is None or store.has(identity):
        return store.get("payment_intent", identity)
    made = {
        "id": identity,
        "amount": int(past["cents"]),
        "currency": "usd",
        "customer": None,
        "payment_method": "pm_card_visa",
        "metadata": {},
        "last_payment_error": None,
    }
    return store.add("payment_intent", "pi", _paid(made))


def _cancel_intent(store: Store, identity: str, params: Params) -> Params:
    intent = store.get("payment_intent", identity)
    if intent["status"] == "succeeded":
        raise Refusal(400, "invalid_request_error", "A succeeded PaymentIntent cannot be canceled.")
    return store.put(intent | {"status": "canceled"})


def _create_refund(store: Store, path: str, params: Params) -> Params:
    intent = _intent(store, str(params.get("payment_intent", "")))
    refunded = store.total("refund", "amount", payment_intent=intent["id"])
    amount = _whole(params, "amount", least=1) if "amount" in params else intent["amount_received"] - refunded
    if amount <= 0 or refunded + amount > intent["amount_received"]:
        raise Refusal(
            400,
            "invalid_request_error",
            f"Refund amount ({amount}) is greater than unrefunded amount on charge "
            f"({intent['amount_received'] - refunded}).",
            code="charge_already_refunded" if refunded else "amount_too_large",
        )
    return store.add(
        "refund",
        "re",
        {
            "amount": amount,
            "currency": intent["currency"],
            "payment_intent": intent["id"],
            "metadata": params.get("metadata", {}),
            "status": "succeeded",
        },
    )


def _create_subscription(store: Store, path: str, params: Params) -> Params:
    items = params.get("items", {})
    items = list(items.values()) if isinstance(items, dict) else items
    if not params.get("customer") or not items:
        raise Refusal(400, "invalid_request_error", "customer and items are required", param="customer")
    anchor = int(params.get("billing_cycle_anchor", time.time()))
    # One that began in the past is anchored at the end of its present period.
    start = int(params.get("backdate_start_date", anchor))
    end = anchor if anchor > start else start + PERIOD
    given = {"id": params["metadata"]["id"]} if "id" in params.get("metadata", {}) else {}
    period = {"current_period_start": start, "current_period_end": end}
    rows = [
        {"id": f"si_{n}", "object": "subscription_item", **period, **item} for n, item in enumerate(items)
    ]
    return store.add(
        "subscription",
        "sub",
        given
        | {
            "customer": params["customer"],
            "items": {"object": "list", "has_more": False, "data": rows},
            "status": params.get("metadata", {}).get("status", "active"),
            "cancel_at_period_end": params.get("cancel_at_period_end") == "true",
            "canceled_at": None,
            "metadata": params.get("metadata", {}),
        },
    )


def _list_subscriptions(store: Store, path: str, params: Params) -> Params:
    """As the provider lists them: without the cancelled ones, unless they are asked for."""
    status = params.get("status")
    if status == "all":
        return store.page("subscription", path, params, ("customer",))
    hidden = {} if status else {"status": "canceled"}
    return store.page("subscription", path, params, ("customer", "status"), hidden)


def _change_subscription(store: Store, identity: str, params: Params) -> Params:
    subscription = store.get("subscription", identity)
    if "cancel_at_period_end" in params:
        subscription["cancel_at_period_end"] = params["cancel_at_period_end"] == "true"
    subscription["metadata"] |= params.get("metadata", {})
    return store.put(subscription)


def _cancel_subscription(store: Store, identity: str, params: Params) -> Params:
    subscription = store.get("subscription", identity)
    return store.put(subscription | {"status": "canceled", "canceled_at": int(time.time())})


def _create_customer(store: Store, path: str, params: Params) -> Params:
    known = {name: params.get(name) for name in ("email", "name")}
    return store.add("customer", "cus", known | {"metadata": params.get("metadata", {})})


def _balance(store: Store, path: str, params: Params) -> Params:
    paid = store.total("payment_intent", "amount_received") - store.total("refund", "amount")
    money = [{"amount": paid, "currency": "usd", "source_types": {"card": paid}}]
    return {"object": "balance", "livemode": False, "available": money, "pending": []}


def _whole(params: Params, name: str, least: int) -> int:
    try:
        value = int(params[name])
    except (KeyError, ValueError):
        raise Refusal(
            400, "invalid_request_error", f"Invalid integer: {params.get(name)}", param=name
        ) from None
    if value < least:
        raise Refusal(400, "invalid_request_error", f"{name} must be at least {least}", param=name)
    return value


def _getter(kind: str) -> Work:
    return lambda store, identity, params: store.get(kind, identity)


def _lister(kind: str, *filters: str) -> Work:
    return lambda store, path, params: store.page(kind, path, params, filters)


def _route(verb: str, path: str, work: Work) -> tuple[str, re.Pattern[str], Work]:
    return verb, re.compile("/v1" + path.replace(":id", r"(?P<id>\w+)")), work


ROUTES = (
    _route("GET", "/balance", _balance),
    _route("POST", "/customers", _create_customer),
    _route("GET", "/customers", _lister("customer", "email")),
    _route("GET", "/customers/:id", _getter("customer")),
    _route("POST", "/payment_intents", _create_intent),
    _route("GET", "/payment_intents", _lister("payment_intent", "customer")),
    _route("GET", "/payment_intents/:id", _get_intent),
    _route("POST", "/payment_intents/:id/confirm", _confirm),
    _route("POST", "/payment_intents/:id/cancel", _cancel_intent),
    _route("POST", "/refunds", _create_refund),
    _route("GET", "/refunds", _lister("refund", "payment_intent")),
    _route("GET", "/refunds/:id", _getter("refund")),
    _route("POST", "/subscriptions", _create_subscription),
    _route("GET", "/subscriptions", _list_subscriptions),
    _route("GET", "/subscriptions/:id", _getter("subscription")),
    _route("POST", "/subscriptions/:id", _change_subscription),
    _route("DELETE", "/subscriptions/:id", _cancel_subscription),
)
