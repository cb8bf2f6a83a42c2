"""Which action cures which finding."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pandas as pd

from zumolib import control
from zumolib.checks import BY_ID, Finding, diagnose
from zumolib.conf import conf
from zumolib.control import by_hand, limits, recycle, relief, results, resume, switch
from zumolib.control.by_hand import ByHand
from zumolib.errors import ControlError, InputError, ZumoError
from zumolib.inspection import remote
from zumolib.receipts.observation import NOT_VERIFIED
from zumolib.runbooks.attempts import MARK, Attempt, next_suspect, without_effect
from zumolib.stack import probes, service
from zumolib.stack.programs import write_configuration

if TYPE_CHECKING:
    from zumolib.control.plan import Plan
    from zumolib.receipts.book import Receipt
    from zumolib.runbooks.place import Place

PREVIEW = ("cause", "what will be done", "affects", "cannot guarantee")
OUTCOME = ("what was done", "state", "outcome", "undo")
MORE_PROCESSES = 2


@dataclass(frozen=True)
class Step:
    """One action against one finding; planned when it is looked at, and anew when it is applied."""

    finding: Finding
    make: Callable[[], Plan]
    tried: Attempt | None = None  # what did not help before; this is then not done again

    @property
    def advice(self) -> str:
        """What is left where a cure did not help: what was tried, and the next suspect."""
        return f"not repeated: {self.tried} did not help. {next_suspect(self.finding)}"

    def plan(self) -> Plan:
        """The action, which notes the finding, so that a later run knows what was tried against it."""
        made = self.make()
        return replace(made, asked={**made.asked, MARK: str(self.finding)})


@dataclass
class Cures:
    """All actions against a diagnosis, in the order in which they are applied."""

    steps: tuple[Step, ...]
    settle: Callable[[], float] = time.monotonic  # called after the last; gives `settled_by`
    settled_by: float = 0.0  # monotonic time until which effects may still come
    receipts: list[Receipt] = field(default_factory=list)
    undone: list[tuple[str, str, str]] = field(default_factory=list)  # what, state, why
    unhelped: list[Finding] = field(default_factory=list)  # after whose cure the effect was not seen

    @property
    def preview(self) -> pd.DataFrame:
        """One row an action: ``cause``, ``what will be done``, ``affects`` (things), ``cannot guarantee``."""
        rows = []
        for step in self.steps:
            if step.tried is not None:
                rows.append((str(step.finding), step.advice, 0, ""))
                continue
            try:
                plan = step.plan()
                rows.append((str(step.finding), plan.summary, len(plan.preview), "; ".join(plan.caveats)))
            except ZumoError as error:
                rows.append((str(step.finding), f"not possible yet: {error}", 0, ""))
        return pd.DataFrame(rows, columns=list(PREVIEW))

    def apply(self, *, confirmed: bool, reason: str) -> pd.DataFrame:
        """Apply all of it, each with a receipt; without `confirmed` nothing is touched.

        One that fails does not keep the others from being tried.

        Returns
        -------
        pandas.DataFrame
            ``what was done``, ``state``, ``outcome``, ``undo``: one row an action.

        Raises
        ------
        InputError
            When it is confirmed and no reason is given.
        """
        if confirmed and self.steps and not reason.strip():
            raise InputError("reason is empty: write in the parameters why this is done, then run again")
        for step in self.steps if confirmed else ():
            if step.tried is not None:
                self.undone.append((str(step.finding), "for you", step.advice))
                continue
            try:
                plan = step.plan()
                if isinstance(plan, ByHand) and not plan.patience:
                    self.undone.append((plan.summary, "for you", "run it, then run this notebook again"))
                elif not plan.preview.empty:
                    made = control.apply(plan, reason=reason, allow=True)
                    self.receipts.append(made)
                    if made.checked.verdict == NOT_VERIFIED:
                        self.unhelped.append(_still(step.finding, made))
            except ControlError as error:
                self.undone.append((str(step.finding), "failed", str(error)))
            except ZumoError as error:
                self.undone.append((str(step.finding), "failed", f"{error} (nothing was changed)"))
        if self.receipts:
            self.settled_by = self.settle()
        rows = [(m.summary, m.state, f"{m.outcome}; {m.checked}", m.how_to_undo) for m in self.receipts]
        rows += [(what, state, why, "") for what, state, why in self.undone]
        return pd.DataFrame(rows, columns=list(OUTCOME))


def _still(finding: Finding, made: Receipt) -> Finding:
    """The finding, with what was observed after its cure."""
    saw = f"receipt {made.id} did not help: {made.checked.observed}"
    return replace(finding, saw=saw, hint=next_suspect(finding))


def plans_for(place: Place, finding: Finding, patience: float, rate: str) -> Iterator[Step]:
    """The actions against one finding; none where only a person can decide."""
    app, facts = place.app, finding.facts

    def step(make: Callable[[], Plan]) -> Step:
        return Step(finding, make, without_effect(finding))

    match finding.id:
        case "broker-unreachable" | "broker-refuses-login" | "broker-refuses-vhost" | "results-unreachable":
            yield step(lambda: _server(place, finding.id, patience))
        case "no-worker":
            yield step(lambda: _process(place, "worker", finding, patience))
        case "beat-stopped":
            yield step(lambda: _process(place, "beat", finding, patience))
        case "workers-busy" | "prefetch-held":
            yield step(
                lambda: relief.plan(
                    app, facts["worker"], MORE_PROCESSES, queues=facts["queues"], tasks=facts["tasks"]
                )
            )
        case "queue-paused":
            yield step(lambda: resume.plan(app, finding.subject, nodes=place.workers))
        case "queue-unconsumed":
            yield step(lambda: _consume(place, finding.subject))
        case "task-unregistered":
            if facts["here"]:
                yield step(lambda: _process(place, "worker", finding, patience))
            elif facts["entries"] and facts["everywhere"]:
                yield step(lambda: _switch_off(place, finding))
        case "rate-limited":
            # A new start brings the code's rate back and frees what is held. Setting the rate first would
            # only hide those: they stay with the old one, and workers tell of the new one alone.
            if facts["changed"]:
                yield step(lambda: _process(place, "worker", finding, patience))
            elif rate:
                yield step(lambda: limits.rate(app, finding.subject, rate, nodes=facts["nodes"]))
        case "entry-disabled":
            yield step(lambda: switch.plan(app, finding.subject, on=True))
        case "task-leaks" | "process-grew":
            yield step(lambda: recycle.plan(app, facts["workers"]))
        case "results-never-expire":
            yield step(lambda: results.expire(app))
        case "results-memory-limit":
            yield step(lambda: results.delete_oldest(app))


def _switch_off(place: Place, finding: Finding) -> Plan:
    """Entries of a task that no worker knows, after each worker that could take it was asked once more."""
    workers = finding.facts["workers"]
    said = remote.ask(place.app, {"registered": {"builtins": True}}, nodes=workers)["registered"]
    lists = {node: {str(line).partition(" [")[0] for line in said.get(node) or ()} for node in workers}
    unclear = [node for node, names in lists.items() if not names or finding.subject in names]
    if unclear:
        raise InputError(
            f"{', '.join(unclear)} did not say that it does not know {finding.subject}; nothing is disabled"
        )
    return switch.plan(place.app, finding.facts["entries"], on=False)


def _server(place: Place, trouble: str, patience: float) -> Plan:
    """The broker's or the result backend's server, mended."""
    if place.plan is not None and place.supervisor is not None:
        plan = place.plan
        return service.plan(
            place.app,
            place.supervisor,
            "valkey",
            works=lambda: probes.valkey(plan),
            # Its password is the one of the plan, whatever somebody made of the file or of the running server.
            prepare=lambda: write_configuration(plan, conf()),
        )
    return by_hand.plan(
        place.app, trouble, command(place, trouble), done=lambda: _gone(place, trouble), patience=patience
    )


def _process(place: Place, name: str, finding: Finding, patience: float) -> Plan:
    """A worker, or beat, started anew."""
    if place.plan is not None and place.supervisor is not None:
        works = {"worker": lambda: probes.worker(place.app), "beat": lambda: probes.beat(conf().ZUMO_HOME)}
        return service.plan(place.app, place.supervisor, name, works=works[name])
    return by_hand.plan(
        place.app,
        finding.id,
        command(place, finding.id),
        done=lambda: _gone(place, finding.id),
        patience=patience,
    )


def _consume(place: Place, queue: str) -> Plan:
    """Every worker that replies consumes from the queue."""
    declared = place.app.amqp.queues[queue]
    options = {
        "exchange": declared.exchange.name or None,
        "exchange_type": declared.exchange.type or "direct",
        "routing_key": declared.routing_key,
    }
    if not place.workers:
        raise InputError("no worker replies; start one")
    return resume.plan(place.app, queue, only=place.workers, options=options)


def _gone(place: Place, id_: str) -> bool:
    """Whether a fresh look finds the trouble no more."""
    made = diagnose(
        place.scene(**{k: v for k, v in place.asked.items() if k in ("task", "entry")}), [BY_ID[id_]]
    )
    return not made.findings and not any(verdict.untold for verdict in made.verdicts)


def command(place: Place, trouble: str) -> str:
    """What a person types where the services are not ours, as the full stack's compose file names them."""
    if place.plan is not None:
        return "zumo up"
    broker = urlsplit(str(place.app.conf.broker_url))
    server = "rabbitmq" if broker.scheme in ("amqp", "amqps", "pyamqp") else "redis"
    user, vhost = broker.username or "guest", broker.path.removeprefix("/") or "/"
    return {
        "broker-unreachable": f"docker compose up -d {server}",
        "broker-refuses-login": f"docker compose exec {server} rabbitmqctl change_password {user} '<as in .env>'"
        if server == "rabbitmq"
        else "docker compose up -d --force-recreate redis",
        "broker-refuses-vhost": f"docker compose exec rabbitmq sh -c 'rabbitmqctl add_vhost {vhost}; "
        f'rabbitmqctl set_permissions -p {vhost} {user} ".*" ".*" ".*"\'',
        "results-unreachable": "docker compose up -d redis",
        "no-worker": "docker compose up -d celery-worker celery-worker-critical celery-worker-high celery-worker-low",
        "task-unregistered": "docker compose up -d --build celery-worker",
        "rate-limited": "docker compose restart celery-worker",
        "beat-stopped": "docker compose restart celery-beat",
    }[trouble]
