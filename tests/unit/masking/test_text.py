"""What is shown of texts with secrets in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.masking.inputs import HARMLESS, INPUTS
from zumolib.masking import Hidden, mask_arguments, mask_text, masked

# name, whether its values are hidden
NAMES = [
    *(
        (name, True)
        for name in ("password", "PASSWORD", "db_password", "newPassword", "userpassword", "passwordHash")
    ),
    *(
        (name, True)
        for name in ("access-token", "apiToken", "tokens", "accesstoken", "client secret", "clientSecrets")
    ),
    *((name, True) for name in ("api_key", "apiKey", "apikey", "X-API-Key", "stripeapikey", "private.key")),
    *(
        (name, True)
        for name in ("card", "cardNumber", "credit_card", "cardnumber", "pin", "user_pin", "iban")
    ),
    *(
        (name, True)
        for name in ("smtp_pass", "smtppass", "pwd", "userpwd", "passcode", "otp", "jwt", "auth", "cookies")
    ),
    *(
        (name, True)
        for name in ("database_url", "DATABASE_URL", "dsn", "Set-Cookie", "session_id", "a" * 501)
    ),
    *(
        (name, False)
        for name in ("discard", "cardinality", "tokenize", "key", "author", "pinned", "shipping")
    ),
    *(
        (name, False)
        for name in ("user", "bypass", "compass", "secretary", "mapping", "signed", "design", "url", "")
    ),
]


@pytest.mark.parametrize(("name", "hidden"), NAMES)
def test_names_match_by_their_words(name: str, hidden: bool) -> None:
    assert masked(name) is hidden


@pytest.mark.parametrize(
    ("name", "key", "hidden"),
    [
        ("favourite_colour", "colour", True),
        ("password", "colour", False),
        ("colours", "colour", True),
        ("hair_colour_code", "colour_code", True),
        ("haircolour", "colour", False),
        ("haircolour", "*colour", True),
        ("colourful", "*colour", False),
        ("colourful", "colour*", True),
        ("contraseña", "contraseña", True),
        ("Пароль", "пароль", True),
        ("парольный", "пароль", False),
    ],
)
def test_the_list_of_keys_is_the_callers(name: str, key: str, hidden: bool) -> None:
    assert masked(name, (key,)) is hidden
    assert (mask_text(f"{{'{name}': 'x'}}", [key]) == f"{{'{name}': '***'}}") is hidden


@pytest.mark.parametrize(("text", "shown"), INPUTS)
def test_what_remains_of_a_secret(text: str, shown: str) -> None:
    assert mask_text(text) == shown
    assert "hunter2" not in shown
    assert mask_text(shown) == shown, "masking twice is masking once"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_holds_no_secret_is_shown_whole(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize("text", [text for text, _ in INPUTS])
def test_without_keys_nothing_is_hidden(text: str) -> None:
    assert mask_text(text, ()) == text


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
SECRETS = st.text(st.characters(codec="ascii"), min_size=1)


@given(secret=SECRETS, around=plain, cut=st.integers(0, 400))
def test_a_secret_is_never_in_a_representation(secret: str, around: Any, cut: int) -> None:
    """Whatever stands around it, and wherever the text is cut."""
    hidden = f"<<{secret}>>"
    text = repr({"a": around, "password": hidden, "b": 1})
    shown = mask_text(text[:cut])
    if repr(around).find("password") < 0:
        assert repr(hidden)[1:-1] not in shown


WRAPPERS = {
    "as JSON": json.dumps,
    "as a representation": repr,
    "in a list": lambda text: json.dumps([1, text]),
    "in a call": lambda text: repr((text, 5)),
    "as a field": lambda text: repr({"body": text, "n": 1}),
}


@given(
    secret=SECRETS,
    around=plain,
    wrapped=st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=3),
    data=st.data(),
)
def test_a_secret_is_never_in_a_text_within_texts(
    secret: str, around: Any, wrapped: list[str], data: Any
) -> None:
    text = json.dumps({"a": around if isinstance(around, int) else 1, "password": f"<<{secret}>>~~", "b": 1})
    for name in wrapped:
        text = WRAPPERS[name](text)
    cut = data.draw(st.integers(0, len(text)))
    assert "<<" not in mask_text(text) or "<<" in secret.replace(f"<<{secret}>>", "")
    assert ">>~~" not in mask_text(text)
    assert ">>~~" not in mask_text(text[:cut])


# Each grows by its own length, and none may take more than a time that grows with it.
GROWING = {
    "words of a name": lambda n: "_".join(["ab"] * n) + ": x",
    "a quoted name": lambda n: '"' + "a_" * n + '": 1',
    "opening brackets": lambda n: "{'card': " + "(" * n,
    "masked names": lambda n: "password: " * n,
    "masked names with cut values": lambda n: "{'password': [" * n,
    "quotes": lambda n: "'" * n + ": x",
    "names in quotes": lambda n: "'a':" * n,
    "backslashes": lambda n: "password: " + "\\" * n,
    "escaped quotes": lambda n: '{"token": "' + '\\"' * n,
    "deeper and deeper quotes": lambda n: "".join("\\" * (i % 50) + '"token' for i in range(n // 30)),
    "commas": lambda n: "password: x" + ", " * n,
    "colons": lambda n: ":" * n,
    "white space": lambda n: "password" + " " * n + ":" + " " * n,
    "lines": lambda n: "password: x" + "\n  a" * n,
    "URLs": lambda n: "a://" * n + "u:p@h",
    "URLs of brokers": lambda n: "amqp://u:p@h;" * n,
    "at signs": lambda n: "a://u:p" + "@" * n,
    "tags": lambda n: "<password>" * n,
    "tags without an end": lambda n: "<" * n + "</",
    "flags": lambda n: " --password" * n,
    "keys": lambda n: "-----BEGIN PRIVATE KEY-----" * n,
    "pairs": lambda n: "('password', " * n,
    "columns": lambda n: "(token)=" * n,
    "tokens": lambda n: "eyJ" + "a" * n,
    "bearers": lambda n: "bearer " * n,
    "items": lambda n: "[" * n + "]=" * n,
    "items of one name": lambda n: "password[" + "]=" * n,
    "calls": lambda n: "password: " + "a(" * n,
    "calls in lines": lambda n: "password: a(\n " * n,
    "values": lambda n: "name: x value: " * n,
    "values without names": lambda n: "'value': " * n,
    "inputs": lambda n: "password\n  input_value=" * n,
    "rows": lambda n: "(token) values " + "(1), " * n,
    "columns and rows": lambda n: "(token) values (" * n,
    "parts": lambda n: 'name="password"\n' * n,
    "parts without an end": lambda n: 'name="password"\n\n' * n,
    "sections": lambda n: "<password><![CDATA[" * n + "</",
    "encoded names": lambda n: "%3Fa%3D" * n,
    "encoded percent signs": lambda n: "%" + "25" * n + "3D",
    "encoded URLs": lambda n: "%3A%2F%2Fa%3A" * n,
    "entities": lambda n: "&quot;password&quot;:" * n,
    "three quotes": lambda n: "password='''" * n,
    "names behind escaped lines": lambda n: "\\npin" * n + ": x",
    "names before strings": lambda n: "token 'abcd" * n,
    "URLs with quotes": lambda n: "a://b:c'd" * n,
    "ports": lambda n: "a://b:1" + ",c:1" * n + "x",
    "angles": lambda n: "{'card': " + "<" * n,
}


@pytest.mark.parametrize("kind", sorted(GROWING))
def test_a_large_text_takes_no_time(kind: str) -> None:
    """A time that grew with the square of the length would be many minutes here."""
    text = GROWING[kind](50_000)
    assert len(mask_text(text)) <= 4 * len(text) + 10


def test_positional_arguments_are_hidden_by_their_place() -> None:
    some = Hidden(frozenset({1}))
    assert mask_arguments("('ann', 'hunter2', 5)", some) == "('ann', '***', 5)"
    assert mask_arguments("['ann', {'a': [1, 'hunter2']}, 5]", some) == "['ann', '***', 5]"
    assert mask_arguments("(f(1, 2), <User 'a, b'>, 'x')", some) == "(f(1, 2), '***', 'x')"
    assert mask_arguments("('ann', 'hunt...", some) == "('ann', '***'"
    assert mask_arguments("('a,b', 'hunter2')", some) == "('a,b', '***')"
    assert mask_arguments("('ann',)", some) == "('ann',)"
    assert mask_arguments("()", some) == "()"
    assert mask_arguments("", some) == ""
    assert mask_arguments("ann hunter2", some) == "***", "what is no list of arguments is hidden whole"
    assert mask_arguments("(1, 2, 3, 4)", Hidden(rest=2)) == "(1, 2, '***', '***')"
    assert (
        mask_arguments("('x', 'amqp://u:hunter2@h')", Hidden(frozenset({0}))) == "('***', 'amqp://u:***@h')"
    )
