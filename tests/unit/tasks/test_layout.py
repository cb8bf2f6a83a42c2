"""What stands where in `tasks/`: what one domain uses in its package, what several use in the base."""

from __future__ import annotations

import re
from pathlib import Path

import grimp
import pytest

import tasks

ROOT = Path(tasks.__file__).parent
DOMAINS = {path.parent.name for path in ROOT.glob("*/tasks.py")}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("tasks", cache_dir=None)


def test_the_base_holds_what_several_use(graph: grimp.ImportGraph) -> None:
    for module in graph.find_descendants("tasks.base"):
        if graph.find_children(module):
            continue  # a package
        direct = graph.find_modules_that_directly_import(module)
        own = {name for name in direct if name.startswith("tasks.base.")}
        others = {name.split(".")[1] for name in direct - own}
        assert len(own) + len(others) > 1, f"{module} is used by {direct or 'nobody'}: it belongs there"


def test_each_module_of_a_domain_is_used_by_it(graph: grimp.ImportGraph) -> None:
    for domain in DOMAINS:
        for module in graph.find_children(f"tasks.{domain}") - {f"tasks.{domain}.tasks"}:
            users = graph.find_modules_that_directly_import(module)
            assert any(user.startswith(f"tasks.{domain}.") for user in users), f"{module}: {users}"


def test_the_readme_names_each_module() -> None:
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| ")]
    named = set(re.findall(r"`([a-z_/]+)`", "\n".join(rows)))
    packages = {*DOMAINS, "base", "base/money"}
    modules = {
        path.stem for package in packages for path in ROOT.glob(f"{package}/*.py") if path.stem != "__init__"
    }
    assert {f"{package}/" for package in packages} <= named
    assert modules - {"tasks"} <= named
    assert {name for name in named if "/" not in name} <= modules, "and none that is not there"
