"""The troubles of a deployment: asked about, cured, and asked about again."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zumolib.checks import BY_ID, CannotTell, Diagnosis, Scene, broker, diagnose
from zumolib.conf import conf
from zumolib.database import orm
from zumolib.errors import InputError
from zumolib.runbooks.cures import Cures, plans_for
from zumolib.runbooks.place import Place
from zumolib.runbooks.troubles import TROUBLES
from zumolib.stack.plan import Plan
from zumolib.stack.supervisor import Supervisor

if TYPE_CHECKING:
    pass

SETTLE_SECONDS = 40.0  # until a worker is back after its broker was started
POLL = 1.0


class Bench(Place):
    """A place, with the questions and cures of its troubles."""

    def diagnose(self, trouble: str, **asked: Any) -> Diagnosis:
        """Ask what may cause a trouble, one of :data:`.troubles.TROUBLES`.

        Parameters
        ----------
        task, entry
            Only what concerns this task, or this entry of the schedule.
        watch
            Seconds for which memory is watched.
        """
        self.trouble, self.asked = trouble, asked
        self.seen = self.last = self.scene(**asked)
        return _diagnose(trouble, self.seen)

    def cures(self, diagnosis: Diagnosis, *, patience: float = 0.0, rate: str = "") -> Cures:
        """Plan what cures the findings; nothing is touched yet.

        Parameters
        ----------
        patience
            Seconds to wait for what only a person can do.
        rate
            Another rate limit for a task that is held by the one in the code, as ``10/m``.
        """
        steps = tuple(step for f in diagnosis.findings for step in plans_for(self, f, patience, rate))
        lost = any(f.id in broker.IDS for f in diagnosis.findings)
        return Cures(steps, settle=partial(self._settle, lost))

    def _settle(self, lost: bool) -> float:
        """Wait until a worker is back, where the broker was lost; but not for ever.

        Who is interrupted after that cure and starts again must not find missing what is on its way.
        Returns until when (monotonic) effects may still come.
        """
        end = time.monotonic() + SETTLE_SECONDS
        while lost and time.monotonic() < end and not self._replied():
            time.sleep(POLL)
        return end

    def _replied(self) -> bool:
        scene = self.scene()
        with suppress(CannotTell):  # lost again
            return scene.broker.state == "ok" and bool(scene.fleet.replied)
        return False

    def again(self, cures: Cures) -> Diagnosis:
        """Ask the same checks afresh; after a cure, until they find nothing or a while has passed."""
        while True:
            self.last = self.scene(**self.asked)
            made = _diagnose(self.trouble, self.last).still(cures.unhelped)
            if not made.findings or time.monotonic() > cures.settled_by:
                return made
            time.sleep(POLL)


def _diagnose(trouble: str, scene: Scene) -> Diagnosis:
    return diagnose(scene, [BY_ID[id_] for id_ in TROUBLES[trouble]])


def bind(app: str = "") -> Bench:
    """The bench of a deployment.

    Parameters
    ----------
    app
        The Celery app, as in ``celery -A``; empty means the setting ``ZUMO_APP``.

    Raises
    ------
    InputError
        When there is no such app.
    """
    from celery.app.utils import find_app

    name = app or conf().ZUMO_APP
    try:
        found = find_app(name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"app={name!r}: {error}; name it as in `celery -A`") from None
    orm.ready()  # after the app, which may bring Django settings of its own
    home = conf().ZUMO_HOME
    plan = Plan.load(home)
    if plan is None or not _same_server(plan.settings["CELERY_BROKER_URL"], str(found.conf.broker_url)):
        return Bench(found, name)
    supervisor = Supervisor(home, plan)
    return Bench(found, name, plan, supervisor if supervisor.pid() is not None else None)


def _same_server(one: str, other: str) -> bool:
    first, second = urlsplit(one), urlsplit(other)
    return (first.hostname, first.port) == (second.hostname, second.port)
