"""The committed notebooks keep the rules: parameters, short cells, counts and outputs."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import nbformat
import pytest
from papermill.inspection import inspect_notebook

from tests.notebooks import NOTEBOOKS, paths
from zumolib.conf import PROJECT

INDEX = NOTEBOOKS / "README.ipynb"
LONGEST_SETUP, LONGEST = 12, 5  # lines of a cell of imports or derived values; of every other


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def names() -> list[str]:
    return [str(path.relative_to(NOTEBOOKS)) for path in paths()]


def with_code() -> list[str]:
    return [name for name in names() if code(NOTEBOOKS / name)]


@pytest.mark.parametrize("name", names())
def test_it_is_a_valid_notebook_that_starts_with_a_title_alone(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    nbformat.validate(notebook)
    title = notebook.cells[0]
    assert title.cell_type == "markdown"
    assert title.source.startswith("# ")
    assert "\n" not in title.source


@pytest.mark.parametrize("name", with_code())
def test_the_first_code_cell_holds_typed_and_explained_parameters(name: str) -> None:
    first, *others = code(NOTEBOOKS / name)
    assert first.metadata.tags == ["parameters"]
    assert not any("parameters" in cell.metadata.get("tags", []) for cell in others)
    for statement in ast.parse(first.source).body:
        assert isinstance(statement, ast.AnnAssign)
        assert isinstance(statement.value, ast.Constant)
    for parameter in inspect_notebook(str(NOTEBOOKS / name)).values():
        assert parameter["inferred_type_name"] in ("str", "int", "float", "bool")
        assert parameter["help"]


@pytest.mark.parametrize("name", with_code())
def test_cells_are_short_and_hold_no_logic(name: str) -> None:
    for position, cell in enumerate(code(NOTEBOOKS / name)):
        lines = cell.source.splitlines()
        assert len(lines) <= (LONGEST_SETUP if position < 3 else LONGEST), cell.source
        assert not any(line.lstrip().startswith(("!", "%")) for line in lines), cell.source
        banned = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try)
        assert not any(isinstance(node, banned) for node in ast.walk(ast.parse(cell.source))), cell.source


@pytest.mark.parametrize("name", with_code())
def test_every_code_cell_was_run_in_order_without_an_error(name: str) -> None:
    cells = code(NOTEBOOKS / name)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not [o for o in cell.outputs if o.output_type in ("error", "stream")], cell.source


@pytest.mark.parametrize("name", names())
def test_nothing_of_a_machine_or_a_moment_is_stored(name: str) -> None:
    text = (NOTEBOOKS / name).read_text()
    notebook = json.loads(text)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert not any(set(cell["metadata"]) - {"tags"} for cell in notebook["cells"])
    assert str(PROJECT) not in text
    assert "widget-view" not in text


@pytest.mark.parametrize("name", names())
def test_links_lead_somewhere(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    for cell in notebook.cells:
        for part in cell.source.split("](")[1:]:
            address = part.split(")")[0].split("#")[0]
            assert address.startswith("http") or ((NOTEBOOKS / name).parent / address).is_file(), address


def test_the_index_lists_every_notebook() -> None:
    text = "".join(cell.source for cell in nbformat.read(INDEX, as_version=4).cells)
    assert [name for name in names() if name != INDEX.name and f"]({name})" not in text] == []
