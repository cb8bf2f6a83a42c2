"""The notebook's libraries without what nobody here needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

WAYS = {
    "figure": "from zumolib.figures import theme; theme.go.Figure().show()",
    "report": "from zumolib.headless import reports; reports._register_engine()",
    "jupyterlab": "from zumolib.stack import lab; sys.argv[1:] = ['--version']; lab.main()",
}
THEN = """
assert "jsonschema" in sys.modules  # which would make it
assert "rfc3987_syntax" not in sys.modules
import rfc3987_syntax  # installed, for whoever needs it
print("light")
"""


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_grammar_is_made(way: str) -> None:
    lines = "\n".join(f"    {line}" for line in way.split("; "))
    code = f"import sys\ntry:\n{lines}\nexcept SystemExit:\n    pass\n{THEN}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("light\n"), done.stdout + done.stderr
    if "Figure" in way:
        assert "application/vnd.plotly.v1+json" in done.stdout


def test_tests_make_none_either() -> None:
    assert "nbformat" in sys.modules
    assert sys.modules.get("rfc3987_syntax") is None
