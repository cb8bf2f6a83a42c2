"""Call a task: pick it, type its arguments, send it, follow it to its result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zumolib import control
from zumolib.control import catalog
from zumolib.errors import BrokerError, InputError
from zumolib.widgets import background, fields, markup, times
from zumolib.widgets.fields import Field, Form
from zumolib.widgets.following import Following
from zumolib.widgets.panel import Panel
from zumolib.widgets.picker import Picker
from zumolib.widgets.preview import Preview
from zumolib.widgets.style import classed

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan, Receipt
    from zumolib.control.catalog import Task
    from zumolib.inspection.signatures import Parameter

ARGUMENT = "argument_"  # before the names of the fields of a task's parameters
BY_ROUTE = "as its route says"
HINTS = {r"^there is no queue": "queue", r"^no worker has registered": "task", r"expires": "expires"}


class Call(Panel):
    """The panel of :func:`zumolib.widgets.call`."""

    def __init__(self, app: Celery, *, name: str, arguments: str, start: str, zone: str) -> None:
        self._known: dict[str, Task] = {}
        self._described = ""
        self._arguments: list[str] = []
        queues = {BY_ROUTE: None} | {queue: queue for queue in app.amqp.queues}
        form = Form(
            [
                Picker("task", "Task", value=name, noun="task"),
                fields.toggle("how", "Arguments", {"one by one": "typed", "as JSON": "json"}, "typed"),
                fields.area("json", "Arguments as JSON", value=arguments, read=as_json,
                            placeholder='{"args": [30], "kwargs": {"dry": true}}',
                            hint="args and kwargs; or just an object of keyword arguments, or a list"),
                fields.choice("queue", "Queue", queues),
                fields.text("priority", "Priority", read=whole, placeholder="none",
                            hint="0 goes first on Redis; 255 on RabbitMQ"),
                fields.text("start", "Start", value=start, placeholder="now",
                            read=lambda text: times.moment(text, zone=zone),
                            hint=f"10 min, or 2026-11-18 06:30 ({zone})"),
                fields.text("expires", "Expires", placeholder="never",
                            read=lambda text: times.moment(text, zone=zone),
                            hint="not run any more after this: 1 h, or a time"),
            ]
        )  # fmt: skip
        if arguments:
            form["how"].control.value = "json"
        classed(form["how"].box, "wide")
        super().__init__(
            "Call a task", form, self._plan, app=app, zone=zone, hints=HINTS,
            preview=Preview(zone=zone, without=("id",)), applied=self._follow,
        )  # fmt: skip
        self._following = Following(app, zone=zone)
        self.below.children = (self._following.box,)
        self._learn()

    def changed(self) -> None:
        """Another task has other parameters."""
        self._describe()
        super().changed()

    def _learn(self) -> None:
        """Ask the workers for their tasks; without them, know those of this process."""

        def ask() -> tuple[dict[str, Task], str]:
            try:
                found = catalog.tasks(self.app)
            except BrokerError as error:
                return catalog.here(self.app), markup.reason(error)
            if found:
                return found, ""
            return catalog.here(self.app), "no worker replied; these are the tasks that this notebook knows"

        background.run(ask, self._learned, self._fail)

    def _learned(self, answer: tuple[dict[str, Task], str]) -> None:
        self._known, trouble = answer
        names = [name for name in self._known if not name.startswith("celery.")]
        self.form["task"].choose(names)  # type: ignore[attr-defined]
        self._describe()
        self.form["task"].hint = trouble or self.form["task"].hint
        self.look()

    def _describe(self) -> None:
        """Fields for the parameters of the task that is picked."""
        name = str(self.form["task"].control.value or "")
        task = self._known.get(name)
        if name != self._described:
            self._described = name
            new = [_argument(p) for p in (task.parameters or ())] if task else []
            self.form.replace(self._arguments, new, before="json")
            self._arguments = [field.name for field in new]
            if task is not None:
                about = f"{name}{task.signature}" + (f": {task.doc}" if task.doc else "")
                self.form["task"].hint = f"{about}  Lands on queue {task.queue}."
        untold = task is not None and task.parameters is None
        typed = self.form["how"].control.value == "typed" and not untold
        by = self._arguments if typed else ["json"]
        self.form.show("task", "how", *by, "queue", "priority", "start", "expires")
        self.form["how"].hint = "" if not (typed and task and not by) else "it takes none"

    def _plan(self, values: dict[str, Any]) -> Plan:
        name = values["task"]
        if "json" in values:
            args, kwargs = values["json"]
        else:
            args, kwargs = self._typed(values)
        return control.call.plan(
            self.app, name, args, kwargs, queue=values["queue"], priority=values["priority"],
            eta=values["start"], expires=values["expires"], known=self._known,
        )  # fmt: skip

    def _typed(self, values: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Arguments out of the fields of the parameters; named ones, except before more positional ones."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        extra: list[Any] = []
        for parameter in self._known[values["task"]].parameters or ():
            value = values[_field_name(parameter)]
            match parameter.kind:
                case _ if value is UNSET:
                    continue
                case "*args":
                    extra = value
                case "**kwargs":
                    kwargs |= value
                case _:
                    kwargs[parameter.name] = value
        if extra:
            for parameter in self._known[values["task"]].parameters or ():
                if parameter.kind == "positional":
                    if parameter.name not in kwargs:
                        raise InputError(f"enter {parameter.name} too: *args come after it")
                    args.append(kwargs.pop(parameter.name))
        return [*args, *extra], kwargs

    def _follow(self, _receipt: Receipt, plan: Plan) -> None:
        if isinstance(plan, control.call.Call):
            self._following.follow(plan.task_id)


UNSET = object()


def _field_name(parameter: Parameter) -> str:
    return ARGUMENT + parameter.name


def _argument(parameter: Parameter) -> Field:
    """The field of one parameter."""
    name = _field_name(parameter)
    label = parameter.name + (f": {parameter.type}" if parameter.type else "")
    if parameter.kind == "*args":
        return fields.text(name, f"*{label}", read=_listed, placeholder="none", hint='a JSON list: ["a", 1]')
    if parameter.kind == "**kwargs":
        return fields.text(
            name, f"**{label}", read=_named, placeholder="none", hint='a JSON object: {"a": 1}'
        )

    def read(text: str) -> Any:
        if text.strip():
            return catalog.typed(text, parameter.type)
        if parameter.required:
            raise InputError(f"{parameter.name} is required; enter {parameter.type or 'a value'}")
        return UNSET

    given = "required" if parameter.required else f"default {markup.plain(parameter.default, 60)}"
    return fields.text(name, label, read=read, placeholder=given)


def as_json(text: str) -> tuple[list[Any], dict[str, Any]]:
    """Arguments written as JSON: an object with args and kwargs, one of keyword arguments, or a list."""
    if not text.strip():
        return [], {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(
            f'this is no JSON ({error}); write it like {{"args": [30], "kwargs": {{}}}}'
        ) from None
    match value:
        case list():
            return value, {}
        case dict() if set(value) <= {"args", "kwargs"}:
            args, kwargs = value.get("args", []), value.get("kwargs", {})
            if not isinstance(args, list) or not isinstance(kwargs, dict):
                raise InputError("args must be a JSON list and kwargs a JSON object")
            return args, kwargs
        case dict():
            return [], value
    raise InputError('expected a JSON object or list, as {"days": 30}')


def whole(text: str) -> int | None:
    """A whole number; None for an empty text."""
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{text!r} is no whole number; write it like 5") from None


def _listed(text: str) -> Any:
    return _json_of(text, list, 'a JSON list like ["a", 1]')


def _named(text: str) -> Any:
    return _json_of(text, dict, 'a JSON object like {"a": 1}')


def _json_of(text: str, kind: type, expected: str) -> Any:
    if not text.strip():
        return UNSET
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise InputError(f"{text!r} is not what is expected: {expected}")
    return value
