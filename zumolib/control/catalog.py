"""Tasks that can be called, with their signatures, as the workers registered them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zumolib.conf import conf
from zumolib.errors import InputError
from zumolib.inspection import remote
from zumolib.inspection.signatures import Parameter, describe, first_line

if TYPE_CHECKING:
    from celery import Celery

NO_VALUE = "no default"


@dataclass(frozen=True)
class Task:
    """A task that can be called."""

    name: str
    parameters: tuple[Parameter, ...] | None  # None: nobody told
    doc: str  # first line of its description
    workers: tuple[str, ...]  # who registered it; empty where only this process knows it
    queue: str  # where a call of it lands

    @property
    def signature(self) -> str:
        """As it would be written: ``(days: int = 30, *, dry: bool)``."""
        if self.parameters is None:
            return "(…)"
        shown: list[str] = []
        kinds = [p.kind for p in self.parameters]
        for p in self.parameters:
            if p.kind == "keyword" and "*args" not in kinds and "*" not in shown:
                shown.append("*")
            stars = "*" * p.kind.count("*")
            text = f"{stars}{p.name}" + (f": {p.type}" if p.type else "")
            shown.append(f"{text} = {p.default}" if p.default else text)
        return f"({', '.join(shown)})"


def tasks(
    app: Celery, *, nodes: Sequence[str] | None = None, timeout: float = remote.TIMEOUT
) -> dict[str, Task]:
    """Every task that some worker registered, by name.

    Signatures come from workers that tell them (the platform's own do), else from this process if it
    knows the task, else they are unknown.

    Raises
    ------
    BrokerError
        The broker does not answer.
    """
    said = remote.ask(app, {"registered": {}, "signatures": {}}, nodes=nodes, timeout=timeout)
    where: dict[str, list[str]] = {}
    for node, names in sorted(said["registered"].items()):
        for name in names if isinstance(names, list) else ():
            where.setdefault(str(name).partition(" [")[0], []).append(node)
    told: dict[str, dict[str, Any]] = {}
    for answer in said["signatures"].values():
        if isinstance(answer, dict) and "error" not in answer:
            told |= answer
    return {name: _task(app, name, tuple(nodes), told.get(name)) for name, nodes in sorted(where.items())}


def here(app: Celery) -> dict[str, Task]:
    """Every task that this process knows, by name; no worker is asked."""
    app.loader.import_default_modules()
    return {name: _task(app, name, (), None) for name in sorted(app.tasks) if not name.startswith("celery.")}


def _task(app: Celery, name: str, workers: tuple[str, ...], told: Mapping[str, Any] | None) -> Task:
    local = app.tasks.get(name)
    if told is not None:
        listed = told.get("parameters")
        parameters = None if listed is None else tuple(Parameter(**p) for p in listed)
        doc = str(told.get("doc") or "")
    else:
        parameters = describe(local.run, conf().ZUMO_MASKED_KEYS) if local is not None else None
        doc = first_line(local.run) if local is not None else ""
    queue = str(app.amqp.router.route({}, name)["queue"].name)
    return Task(name, parameters, doc, workers, queue)


def check(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse arguments that the task would not take.

    Raises
    ------
    InputError
        With what is missing, or too much.
    """
    if task.parameters is None:
        return
    kinds = {
        "positional": inspect.Parameter.POSITIONAL_OR_KEYWORD,
        "keyword": inspect.Parameter.KEYWORD_ONLY,
        "*args": inspect.Parameter.VAR_POSITIONAL,
        "**kwargs": inspect.Parameter.VAR_KEYWORD,
    }
    signature = inspect.Signature(
        [
            inspect.Parameter(
                p.name,
                kinds[p.kind],
                default=inspect.Parameter.empty if p.required or "*" in p.kind else NO_VALUE,
            )
            for p in task.parameters
        ]
    )
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise InputError(f"{task.name}{task.signature}: {error}; pass what its signature asks for") from None


def typed(text: str, type_: str) -> Any:
    """A value written as text, as its parameter's type wants it.

    Without a known type it is JSON if it can be read as such, else text.

    Raises
    ------
    InputError
        With the value and what is expected.
    """
    types = {part.strip().rpartition(".")[2].lower() for part in type_.split("|") if part.strip()}
    if types & {"none", "nonetype"} and text.strip().lower() in ("", "none", "null"):
        return None
    for wanted, read in (("bool", _bool), ("int", int), ("float", float)):
        if wanted in types:
            try:
                return read(text.strip())
            except ValueError:
                if not types - {wanted, "none", "nonetype"}:
                    raise InputError(f"{text!r} is no {wanted}; {_EXAMPLES[wanted]}") from None
    if "str" in types:
        return text
    try:
        return json.loads(text)
    except ValueError:
        containers = {t.partition("[")[0] for t in types} & {"dict", "list", "tuple", "mapping", "sequence"}
        if containers:
            raise InputError(f"{text!r} is no {containers.pop()}; write it as JSON") from None
        return text


_EXAMPLES = {
    "bool": "write true or false",
    "int": "write a whole number like 30",
    "float": "write a number like 0.5",
}


def _bool(text: str) -> bool:
    if text.lower() in ("true", "yes", "on", "1"):
        return True
    if text.lower() in ("false", "no", "off", "0"):
        return False
    raise ValueError(text)
