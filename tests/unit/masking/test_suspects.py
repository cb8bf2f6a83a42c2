"""What the quick look passes over is what the slow one leaves as it is."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.unit.masking import inputs
from zumolib.masking import suspects as looking
from zumolib.masking.keys import KEYS, LIMIT
from zumolib.masking.suspects import suspects
from zumolib.masking.text import mask_text

LETTERS = "\\'\"=:, \t\n-_.()[]{}<>@/%;aZ0éK&"
LONG = ("x" * 10, "x" * (LIMIT + 100))


@pytest.fixture(autouse=True, scope="module")
def however_little() -> Iterator[None]:
    """Also a few bytes are looked through."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking, "LITTLE", 0)
        yield


def texts() -> list[str]:
    """All inputs with their right values."""
    rows = [row for found in vars(inputs).values() if isinstance(found, list | tuple) for row in found]
    return [
        cell for row in rows for cell in (row if isinstance(row, tuple) else (row,)) if isinstance(cell, str)
    ]


def changed(text: str, chance: random.Random) -> str:
    """A text after a few edits."""
    letters = list(text)
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(letters) + 1)
        match chance.choice(("delete", "insert", "case", "cut", "long")):
            case "delete":
                del letters[at : at + 1]
            case "insert":
                letters.insert(at, chance.choice(LETTERS))
            case "case":
                letters[at : at + 1] = [letter.swapcase() for letter in letters[at : at + 1]]
            case "cut":
                letters = letters[at:] if chance.random() < 0.5 else letters[:at]
            case "long":
                letters.insert(at, chance.choice(LONG))
    return "".join(letters)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_would_be_hidden_is_passed_over(seed: int) -> None:
    chance, sources = random.Random(seed), texts()
    assert len(sources) > 100
    tried = [changed("".join(chance.sample(sources, chance.randint(1, 2))), chance) for _ in range(3_000)]
    [found] = suspects([pa.array(tried, pa.large_string())], KEYS)
    passed = [text for text, suspect in zip(tried, found.to_pylist(), strict=True) if not suspect]
    assert len(passed) > 100
    assert [text for text in passed if mask_text(text, KEYS) != text] == []


def test_the_answer_has_the_shape_of_the_question() -> None:
    arrays = [pa.array(["password=x", None, "plain"]), pa.array([], pa.string()), pa.array(["a token: b"])]
    found = suspects(arrays, KEYS)
    assert [one.to_pylist() for one in found] == [[True, False, False], [], [True]]
