"""Plotly without what nobody here needs."""

from __future__ import annotations

import subprocess
import sys

FIGURE = """
import sys
from zumolib.figures import theme
assert "nbformat" in sys.modules  # plotly asked for its version
assert "rfc3987_syntax" not in sys.modules
theme.go.Figure().show()
import rfc3987_syntax  # installed, for whoever needs it
"""


def test_figures_are_shown_and_no_grammar_is_made() -> None:
    done = subprocess.run([sys.executable, "-c", FIGURE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "application/vnd.plotly.v1+json" in done.stdout
