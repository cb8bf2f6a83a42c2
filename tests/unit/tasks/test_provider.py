"""The stand-in provider's rules, without its HTTP side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.provider.api import answer
from tasks.provider.server import nested
from tasks.provider.store import Refusal, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "provider.sqlite3")
    yield made
    made.close()


def ask(
    store: Store, method: str, path: str, key: str | None = None, **params: Any
) -> tuple[int, dict[str, Any]]:
    given = {name: str(value) if isinstance(value, int) else value for name, value in params.items()}
    return store.once(key, f"{path} {given}", lambda: answer(store, method, f"/v1{path}", given))[0]


def pay(store: Store, method: str = "pm_card_visa", key: str | None = None, amount: int = 500) -> Any:
    return ask(
        store,
        "POST",
        "/payment_intents",
        key,
        amount=amount,
        currency="usd",
        payment_method=method,
        confirm="true",
    )


def test_a_good_card_pays_and_a_bad_one_is_declined(store: Store) -> None:
    status, intent = pay(store)
    assert (status, intent["status"], intent["amount_received"]) == (200, "succeeded", 500)
    status, body = pay(store, "pm_card_chargeDeclined")
    assert (status, body["error"]["type"], body["error"]["code"]) == (402, "card_error", "card_declined")
    assert body["error"]["payment_intent"]["status"] == "requires_payment_method"


def test_a_key_gives_the_same_answer_good_or_bad(store: Store) -> None:
    assert pay(store, key="k") == pay(store, key="k")
    assert pay(store, "pm_card_chargeDeclined", key="d") == pay(store, "pm_card_chargeDeclined", key="d")
    assert len(ask(store, "GET", "/payment_intents")[1]["data"]) == 2


def test_a_key_with_other_parameters_is_refused(store: Store) -> None:
    pay(store, key="k")
    status, body = pay(store, key="k", amount=501)
    assert (status, body["error"]["type"]) == (400, "idempotency_error")


def test_slow_methods_are_paid_when_asked_again(store: Store) -> None:
    intent = pay(store, "pm_usBankAccount")[1]
    assert intent["status"] == "processing"
    assert ask(store, "GET", f"/payment_intents/{intent['id']}")[1]["status"] == "succeeded"


def test_refunds_never_exceed_what_was_paid(store: Store) -> None:
    intent = pay(store)[1]["id"]
    assert ask(store, "POST", "/refunds", payment_intent=intent, amount=300)[0] == 200
    assert ask(store, "POST", "/refunds", payment_intent=intent, amount=300)[0] == 400
    assert ask(store, "POST", "/refunds", payment_intent=intent)[1]["amount"] == 200
    assert ask(store, "GET", "/balance")[1]["available"][0]["amount"] == 0


def test_lists_page_to_the_end_newest_first(store: Store) -> None:
    made = [pay(store)[1]["id"] for _ in range(5)]
    found: list[str] = []
    more: dict[str, Any] = {}
    while True:
        page = ask(store, "GET", "/payment_intents", limit=2, **more)[1]
        found += [row["id"] for row in page["data"]]
        more = {"starting_after": found[-1]}
        if not page["has_more"]:
            break
    assert found == made[::-1]
    back = ask(store, "GET", "/payment_intents", limit=2, ending_before=made[2])[1]
    assert [row["id"] for row in back["data"]] == [made[4], made[3]]


# what is asked | status
WRONG: list[tuple[str, str, dict[str, Any], int]] = [
    ("POST", "/payment_intents", {"amount": "-1", "currency": "usd"}, 400),
    ("POST", "/payment_intents", {"amount": "x", "currency": "usd"}, 400),
    ("POST", "/payment_intents", {"amount": "1", "currency": "' OR 1"}, 400),
    ("POST", "/refunds", {"payment_intent": "pi_none"}, 404),
    ("POST", "/subscriptions", {"customer": "cus_1"}, 400),
    ("GET", "/payment_intents/pi_none", {}, 404),
    ("GET", "/payment_intents", {"limit": "1000"}, 400),
    ("GET", "/nothing", {}, 404),
]


@pytest.mark.parametrize(("method", "path", "params", "status"), WRONG)
def test_what_is_wrong_is_an_error_of_the_protocol(
    method: str, path: str, params: dict[str, Any], status: int, store: Store
) -> None:
    got, body = ask(store, method, path, **params)
    assert got == status
    assert body["error"]["message"]


def test_forms_nest() -> None:
    form = "a=1&metadata%5Bx%5D=2&items%5B0%5D%5Bprice%5D=p&items%5B1%5D%5Bprice%5D=q"
    assert nested(form) == {
        "a": "1",
        "metadata": {"x": "2"},
        "items": {"0": {"price": "p"}, "1": {"price": "q"}},
    }
    with pytest.raises(Refusal):
        nested("a=1&a[b]=2")
