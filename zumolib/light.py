"""Load the notebook's libraries without what nobody here needs.

They all load nbformat or jsonschema, and jsonschema, where a package for international addresses is installed,
has that one make a grammar of them: two seconds of a processor in each process, half of the time that a
notebook's imports take and two thirds of JupyterLab's. No schema that is used here asks for such an address.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

GRAMMAR = "rfc3987_syntax"


@contextmanager
def imports() -> Iterator[None]:
    """While this lasts, the grammar counts as not installed, which jsonschema is used to."""
    if GRAMMAR in sys.modules:
        yield
        return
    modules = cast("dict[str, Any]", sys.modules)
    modules[GRAMMAR] = None  # an import of it fails
    try:
        yield
    finally:
        del modules[GRAMMAR]
