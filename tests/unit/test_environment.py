"""environment.yml says the same as pyproject.toml, in specs that conda and pip can read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rattler import MatchSpec

PROJECT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = yaml.safe_load((PROJECT / "environment.yml").read_text())
CONDA = [spec for spec in ENVIRONMENT["dependencies"] if isinstance(spec, str)]
PIP = [spec for part in ENVIRONMENT["dependencies"] if isinstance(part, dict) for spec in part["pip"]]

#   name on PyPI         name on conda-forge
CONDA_NAMES = {
    "duckdb": "python-duckdb",
    "prometheus-client": "prometheus_client",
    "redis": "redis-py",
}


def wanted() -> dict[str, SpecifierSet]:
    """Name and bounds of every dependency of pyproject.toml."""
    requirements = [Requirement(text) for text in PYPROJECT["dependencies"]]
    return {requirement.name: requirement.specifier for requirement in requirements}


def conda_bounds() -> dict[str, SpecifierSet]:
    specs = [MatchSpec(text, strict=True) for text in CONDA]
    return {spec.name.normalized: SpecifierSet(str(spec.version or "")) for spec in specs}


def pip_bounds() -> dict[str, SpecifierSet]:
    requirements = [Requirement(text) for text in PIP if text != "-e ."]
    return {requirement.name: requirement.specifier for requirement in requirements}


@pytest.mark.parametrize("text", CONDA)
def test_conda_spec_is_valid_and_bounded(text):
    spec = MatchSpec(text, strict=True)
    assert spec.version is not None
    assert str(spec.version).startswith(">=")


def test_every_dependency_stands_once_with_the_same_bounds():
    conda, pip = conda_bounds(), pip_bounds()
    pypi_names = {conda_name: name for name, conda_name in CONDA_NAMES.items()}
    found = {pypi_names.get(name, name): bounds for name, bounds in conda.items()}
    assert not set(found) & set(pip), "listed twice"
    found |= pip
    del found["python"], found["pip"]
    assert found == wanted()


def test_python_is_the_same():
    assert conda_bounds()["python"] == SpecifierSet(PYPROJECT["requires-python"])


def test_channel_is_conda_forge_alone():
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]


def test_the_project_itself_is_installed():
    assert PIP[-1] == "-e ."
