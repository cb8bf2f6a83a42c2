"""What the cells of an executed notebook printed, and the errors that ended them, without what must not be seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zumolib.masking.text import mask_text

if TYPE_CHECKING:
    from nbformat import NotebookNode


def mask_outputs(notebook: NotebookNode, keys: Sequence[str]) -> None:
    """Hide in a notebook, in place, what is secret in streams and errors."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        if output.output_type == "stream":
            output.text = mask_text(output.text, keys)
        elif output.output_type == "error":
            output.evalue = mask_text(output.evalue, keys)
            output.traceback = [mask_text(line, keys) for line in output.traceback]
