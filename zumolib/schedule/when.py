"""When an entry is due: as written by a person, as a row of the schedule has it, as text, as firings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
from celery.schedules import ParseException, crontab

from zumolib.errors import InputError
from zumolib.schedule import faults, firings, rows
from zumolib.schedule.faults import FIELDS

if TYPE_CHECKING:
    from django_celery_beat.models import PeriodicTask

PERIODS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
FIRINGS = {"at": "datetime64[us, UTC]", "local": "str", "offset": "str", "note": "str"}
LONGEST = 366 * 86_400  # seconds of an interval
# Windows in days that are looked through for the next firings; the last holds any 29 February.
WINDOWS = (2, 60, 800, 3_700)


@dataclass(frozen=True)
class When:
    """One of: a crontab in a zone, an interval, or what cannot be written here (a clock, the sun, a bad row)."""

    cron: str | None = None  # five fields in the order of crontab(5)
    zone: str = "UTC"  # of the crontab, IANA name
    every: int | None = None  # seconds
    other: dict[str, Any] | None = None  # kind (None: no schedule), key and text of what is neither

    @classmethod
    def written(cls, *, cron: str | None = None, every: float | None = None, zone: str = "UTC") -> When:
        """What a person wrote, checked by Celery's own parser.

        Parameters
        ----------
        cron
            Five fields: minute, hour, day of month, month, day of week. Celery wants both days to match.
        every
            Seconds, whole, 1 or more.
        zone
            IANA name; the wall clock of the crontab.

        Raises
        ------
        InputError
            One line naming the value and the remedy.
        """
        if (cron is None) == (every is None):
            raise InputError("give one of: a crontab like '30 2 * * *', or an interval in seconds")
        if every is not None:
            if not 1 <= every <= LONGEST or every != int(every):
                raise InputError(f"every={every}: pass whole seconds from 1 to a leap year")
            return cls(every=int(every))
        parts = str(cron).split()
        if len(parts) != len(FIELDS):
            raise InputError(
                f"{cron!r} has {len(parts)} fields; a crontab has five: minute hour day-of-month month "
                "day-of-week, like '30 2 * * *'"
            )
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InputError(f"{zone!r} is no time zone; write it like UTC or Europe/Paris") from None
        try:
            crontab(**dict(zip(FIELDS, parts, strict=True)))
        except (ParseException, ValueError, TypeError) as error:
            raise InputError(f"{cron!r} is no crontab: {error}; write it like '30 2 * * *'") from None
        return cls(cron=" ".join(parts), zone=zone)

    @classmethod
    def of(cls, row: PeriodicTask) -> When:
        """What a row of the schedule says; of a bad one, which schedule it has, so that it can be given back."""
        kind = faults.kind_of(row)
        if faults.of_schedule(row):
            key = getattr(row, f"{kind}_id") if kind else None
            other = {"kind": kind or None, "id": key, "text": rows.text_of(row)}
            return cls(zone=rows.zone_of(row) or "UTC", other=other)
        if kind == "crontab":
            fields = " ".join("".join(str(getattr(row.crontab, name)).split()) for name in FIELDS)
            return cls(cron=fields, zone=str(row.crontab.timezone))
        if kind == "interval" and row.interval.period in PERIODS:
            return cls(every=row.interval.every * PERIODS[row.interval.period])
        return cls(other={"kind": kind, "id": getattr(row, f"{kind}_id"), "text": str(getattr(row, kind))})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> When:
        """What :meth:`to_json` gave."""
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """For a receipt."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def put(self, row: PeriodicTask) -> None:
        """Write it into a row, which the caller saves. A schedule that other rows share is never changed."""
        from django_celery_beat.models import CrontabSchedule, IntervalSchedule

        for kind in faults.KINDS:  # by key: what it points at may be unreadable
            setattr(row, f"{kind}_id", None)
        if self.cron is not None:
            fields = dict(zip(FIELDS, self.cron.split(), strict=True))
            row.crontab = rows.first_or_new(CrontabSchedule, timezone=self.zone, **fields)
        elif self.every is not None:
            period = next(name for name, seconds in PERIODS.items() if self.every % seconds == 0)
            row.interval = rows.first_or_new(
                IntervalSchedule, every=self.every // PERIODS[period], period=period
            )
        elif self.other is not None and self.other["kind"]:
            setattr(row, f"{self.other['kind']}_id", self.other["id"])

    @property
    def spec(self) -> firings.Spec | None:
        """What :func:`zumolib.schedule.firings.expand` takes; an interval counts from the anchor that it is given."""
        if self.cron is not None:
            return firings.Cron(**dict(zip(FIELDS, self.cron.split(), strict=True)), zone=self.zone)
        return firings.Every(self.every) if self.every is not None else None

    @property
    def text(self) -> str:
        """As a person says it: "At 02:30 AM, only on Monday (Europe/Paris)"."""
        if self.every is not None:
            period = next(name for name, seconds in PERIODS.items() if self.every % seconds == 0)
            count = self.every // PERIODS[period]
            return f"every {period[:-1]}" if count == 1 else f"every {count} {period}"
        if self.cron is None:
            return str((self.other or {}).get("text", ""))
        from cron_descriptor import CasingTypeEnum, Options, get_description
        from cron_descriptor.Exception import FormatException, MissingFieldException, WrongArgumentException

        options = Options()
        options.use_24hour_time_format = True
        options.casing_type = CasingTypeEnum.Sentence
        try:
            return f"{get_description(self.cron, options)} ({self.zone})"
        except (FormatException, MissingFieldException, WrongArgumentException, ValueError):
            return f"{self.cron} ({self.zone})"

    def __str__(self) -> str:
        if self.cron is not None:
            return f"{self.cron} ({self.zone})"
        return self.text

    def next(
        self, count: int = 10, *, now: datetime, zone: str = "UTC", anchor: datetime | None = None
    ) -> pd.DataFrame:
        """The next firings, as Celery's crontab has them.

        Parameters
        ----------
        now
            They come after it.
        zone
            In which their local times are shown.
        anchor
            Last dispatch, from which an interval counts; None counts from `now`.

        Returns
        -------
        pandas.DataFrame
            ``at`` (UTC), ``local`` (text on the wall clock of `zone`), ``offset`` ("+02:00") and
            ``note``: what daylight saving does between this firing and the one before. Empty where the
            times are not known here.
        """
        spec, found = self.spec, pd.DataFrame({"at": pd.to_datetime([], utc=True)})
        if isinstance(spec, firings.Every):
            spec = firings.Every(spec.seconds, anchor or now)
            windows: tuple[float, ...] = ((count + 2) * spec.seconds / 86_400,)
        else:
            windows = WINDOWS if spec is not None else ()
        for days in windows:
            found = firings.expand([spec], now, now + timedelta(days=days))
            found = found[found["at"] > pd.Timestamp(now)].head(count)
            if len(found) == count:
                break
        place = ZoneInfo(zone)
        local = [at.to_pydatetime().astimezone(place) for at in found["at"]]
        offsets = [f"{moment:%z}"[:3] + ":" + f"{moment:%z}"[3:5] for moment in local]
        start = f"{now.astimezone(place):%z}"
        changes = pairwise([start[:3] + ":" + start[3:5], *offsets])
        frame = pd.DataFrame(
            {
                "at": list(found["at"]),
                "local": [f"{moment:%a %Y-%m-%d %H:%M:%S}" for moment in local],
                "offset": offsets,
                "note": [_clocks(before, after) for before, after in changes],
            },
            columns=list(FIRINGS),
        )
        return frame.astype(FIRINGS)


def _clocks(before: str, after: str) -> str:
    if before == after:
        return ""
    return f"clocks have gone {'forward' if _minutes(after) > _minutes(before) else 'back'}"


def _minutes(offset: str) -> int:
    hours, minutes = offset[1:].split(":")
    return (-1 if offset[0] == "-" else 1) * (int(hours) * 60 + int(minutes))
