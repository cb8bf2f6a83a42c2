"""When two outputs of a notebook are the same: a plugin of pytest that lets nbval compare numbers as numbers.

Everything else is compared as it stands: a text, a title, the number of rows. A number may differ from the
stored one by less than anybody can see. ``-p tests.agreement`` turns it on.
"""

from __future__ import annotations

import math
import re
from base64 import b64decode
from typing import Any

import numpy as np
from nbval.plugin import IPyNbCell

TOLERANCE = 2e-5  # relative; figures hold six significant digits
_DECIMAL = re.compile(r"(?<![\w.])-?\d+\.\d+(?:[eE][+-]?\d+)?(?![\w.]*\d)")


def toward(new: Any, stored: Any) -> Any:
    """The new output with each number that agrees with the stored one replaced by it."""
    match new, stored:
        case bool(), _:
            return new
        case (float(), float() | int()) | (int(), float()):
            return stored if close(new, stored) else new
        case str(), str():
            return new if new == stored else _text(new, stored)
        case {"bdata": str(), "dtype": "f4"}, {"bdata": str(), "dtype": "f4"}:
            return stored if _same_array(new, stored) else new
        case dict(), dict():
            return type(new)({key: toward(value, stored.get(key)) for key, value in new.items()})
        case list(), list() if len(new) == len(stored):
            return [toward(one, other) for one, other in zip(new, stored, strict=True)]
    return new


def close(one: float, other: float) -> bool:
    """Whether nobody could see a difference."""
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-12)


def _same_array(new: dict[str, Any], stored: dict[str, Any]) -> bool:
    """Whether plotly's typed arrays have the same shape, and numbers that are close."""
    one, other = (np.frombuffer(b64decode(array["bdata"]), "float32") for array in (new, stored))
    same_shape = one.shape == other.shape and new.get("shape") == stored.get("shape")
    return same_shape and np.allclose(one, other, rtol=TOLERANCE, atol=1e-12, equal_nan=True)


def _text(new: str, stored: str) -> str:
    """Decimals within texts, as in tables; what is around them must be the same."""
    if _DECIMAL.split(new) != _DECIMAL.split(stored):
        return new
    pairs = zip(_DECIMAL.findall(new), _DECIMAL.findall(stored), strict=True)
    return stored if all(close(float(one), float(other)) for one, other in pairs) else new


_exact = IPyNbCell.compare_outputs


def _compare(cell: IPyNbCell, test: list[Any], ref: list[Any], skip_compare: Any = None) -> bool:
    nearer = [toward(new, stored) for new, stored in zip(test, ref, strict=False)] + test[len(ref) :]
    return bool(_exact(cell, nearer, ref, skip_compare))


def pytest_configure() -> None:
    """Put the comparison in the place of nbval's own."""
    IPyNbCell.compare_outputs = _compare
