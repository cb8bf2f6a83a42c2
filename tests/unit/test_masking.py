from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zumolib.masking import KEYS, MASK, mask_call, mask_text, mask_value, masked

# key, whether its values are hidden
MATCHES = [
    ("password", True),
    ("PASSWORD", True),
    ("db_password", True),
    ("newPassword", True),
    ("access-token", True),
    ("apiToken", True),
    ("tokens", True),
    ("api_key", True),
    ("apiKey", True),
    ("apikey", True),
    ("X-API-Key", True),
    ("card", True),
    ("cardNumber", True),
    ("credit_card", True),
    ("client secret", True),
    ("discard", False),
    ("cardinality", False),
    ("tokenize", False),
    ("key", False),
    ("author", False),
    ("pinned", False),
    ("user", False),
    ("", False),
]


@pytest.mark.parametrize(("key", "hidden"), MATCHES)
def test_keys_match_by_their_words(key: str, hidden: bool) -> None:
    assert masked(key) is hidden


def test_the_list_of_keys_is_the_callers() -> None:
    assert masked("favourite_colour", ("colour",))
    assert not masked("password", ("colour",))
    assert mask_value({"colour": "red", "password": "x"}, ["colour"]) == {"colour": MASK, "password": "x"}


def test_values_are_hidden_at_any_depth() -> None:
    value = {"a": [{"token": "t", "n": 1}], "b": ({"card": {"number": "4242"}},), "c": None}
    assert mask_value(value) == {"a": [{"token": MASK, "n": 1}], "b": ({"card": MASK},), "c": None}
    assert value["a"] == [{"token": "t", "n": 1}], "the original is not touched"


def test_texts_inside_of_values_are_looked_through() -> None:
    assert mask_value(['{"password": "hunter2"}']) == ['{"password": "***"}']


# representation, what is shown of it
TEXTS = [
    ("{'password': 'hunter2', 'n': 1}", "{'password': '***', 'n': 1}"),
    ('{"password": "hunter2", "n": 1}', '{"password": "***", "n": 1}'),
    ("{'password': 'it\\'s', 'n': 1}", "{'password': '***', 'n': 1}"),
    ("{'password': \"it's\", 'n': 1}", "{'password': '***', 'n': 1}"),
    ("{'pin': 1234}", "{'pin': '***'}"),
    ("{'pin': 1234, 'n': 1}", "{'pin': '***', 'n': 1}"),
    ("{'card': {'number': '42', 'cvc': [1, 2]}, 'n': 1}", "{'card': '***', 'n': 1}"),
    ("{'card': ['}', ')'], 'n': 1}", "{'card': '***', 'n': 1}"),
    ("{'card': <Card 4242 of A>, 'n': 1}", "{'card': '***', 'n': 1}"),
    ("{'card': Decimal('4242'), 'n': 1}", "{'card': '***', 'n': 1}"),
    ("call(user='a', password='hunter2', n=1)", "call(user='a', password='***', n=1)"),
    ("token=abc", "token='***'"),
    ("{'token': b'raw'}", "{'token': '***'}"),
    # Cut in the middle, as events do.
    ("{'n': 1, 'password': 'hunt", "{'n': 1, 'password': '***'"),
    ("{'n': 1, 'password': 'hunt...", "{'n': 1, 'password': '***'"),
    ("{'card': {'number': '42", "{'card': '***'"),
    ("{'password': ", "{'password': '***'"),
    # Nothing to hide.
    ("('a', 2)", "('a', 2)"),
    ("{'note': 'the password is long'}", "{'note': 'the password is long'}"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "shown"), TEXTS)
def test_representations_are_masked(text: str, shown: str) -> None:
    assert mask_text(text) == shown


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(secret=st.text(st.characters(codec="ascii"), min_size=1), around=plain, cut=st.integers(0, 400))
def test_a_secret_is_never_in_a_representation(secret: str, around: Any, cut: int) -> None:
    """Whatever stands around it, and wherever the text is cut."""
    hidden = f"<<{secret}>>"
    text = repr({"a": around, "password": hidden, "b": 1})
    shown = mask_text(text[:cut])
    if repr(around).find("password") < 0:
        assert repr(hidden)[1:-1] not in shown


@given(value=plain)
def test_masking_twice_is_masking_once(value: Any) -> None:
    once = mask_value(value)
    assert mask_value(once) == once


def test_positional_arguments_are_masked_by_their_parameters_names() -> None:
    def login(user: str, password: str, *rest: str) -> None: ...

    args, kwargs = mask_call(login, ("ann", "hunter2", "more"), {"token": "t", "n": 1}, KEYS)
    assert args == ["ann", MASK, "more"]
    assert kwargs == {"token": MASK, "n": 1}
    assert mask_call(None, ("ann", "hunter2"), {}, KEYS)[0] == ["ann", "hunter2"]


def test_a_large_text_takes_no_time() -> None:
    text = "{'note': '" + "x" * 1_000_000 + "', 'password': '" + "y" * 1_000_000 + "'}"
    assert mask_text(text).endswith("'password': '***'}")
    hostile = "(" * 1_000_000
    assert mask_text(f"{{'card': {hostile}") == "{'card': '***'"
