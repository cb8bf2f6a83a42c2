"""Load plotly without what nobody here needs.

Plotly's renderers ask nbformat for its version. That loads jsonschema, and jsonschema, where a package for
international addresses is installed, has that one make a grammar of them: half of the time that a notebook's
imports take. No notebook, and no figure, has such an address checked.
"""

from __future__ import annotations

import sys
from typing import Any, cast

import plotly.io as pio

GRAMMAR = "rfc3987_syntax"


def renderers() -> Any:
    """Plotly's renderers; while they load, the grammar counts as not installed, which jsonschema is used to."""
    if GRAMMAR in sys.modules:
        return pio.renderers
    modules = cast("dict[str, Any]", sys.modules)
    modules[GRAMMAR] = None  # an import of it fails
    try:
        return pio.renderers
    finally:
        del modules[GRAMMAR]
