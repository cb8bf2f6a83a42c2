"""May this process act? Reports and notebooks that run by themselves must not, by default."""

from __future__ import annotations

from zumolib.conf import conf, headless
from zumolib.errors import ReadOnly


def check(allow: bool | None = None) -> None:
    """Refuse where actions are not wanted.

    Parameters
    ----------
    allow
        True lets a notebook act that runs without a person before it; False refuses anywhere.

    Raises
    ------
    ReadOnly
        With what to do if the action is wanted.
    """
    if conf().ZUMO_READ_ONLY:
        raise ReadOnly("ZUMO_READ_ONLY is set, so nothing is changed from here; unset it to act")
    if allow is False:
        raise ReadOnly("allow=False, so nothing is changed; pass allow=True to act")
    if allow is None and headless():
        raise ReadOnly(
            "this notebook runs without a person before it, so nothing is changed; "
            "pass allow=True to control.apply to act all the same"
        )
