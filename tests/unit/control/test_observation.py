"""What a receipt says of the workers that were asked."""

from __future__ import annotations

import pytest

from zumolib.receipts.observation import of_nodes

#   agree, total, what                          text
SAID = [
    (2, 2, "hold the revoke", "2 of 2 workers hold the revoke"),
    (0, 2, "tell the new bounds", "0 of 2 workers tell the new bounds"),
    (1, 1, "hold the revoke", "1 of 1 worker holds the revoke"),
    (1, 3, "do not reply any more", "1 of 3 workers does not reply any more"),
]


@pytest.mark.parametrize(("agree", "total", "what", "text"), SAID)
def test_how_many_workers_agree_is_said_as_a_sentence(agree: int, total: int, what: str, text: str) -> None:
    assert of_nodes(agree, total, what) == text
