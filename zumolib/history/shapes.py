"""The columns and dtypes of what a history answers."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

_MOMENT, _TEXT, _COUNT, _REAL = "datetime64[us, UTC]", "str", "Int64", "float64"

TASKS = {
    "task_id": _TEXT, "name": _TEXT, "queue": _TEXT, "worker": _TEXT, "state": _TEXT, "sent": _MOMENT,
    "eta": _MOMENT, "expires": _MOMENT, "received": _MOMENT, "started": _MOMENT, "finished": _MOMENT,
    "queue_wait": _REAL, "run_time": _REAL, "retries": _COUNT, "exception": _TEXT,
    "traceback": _TEXT, "args": _TEXT, "kwargs": _TEXT, "parent_id": _TEXT, "root_id": _TEXT, "entry": _TEXT,
}  # fmt: skip
DEPTH_FRAME = {
    "at": _MOMENT, "queue": _TEXT, "ready": _COUNT, "unacked": _COUNT, "consumers": _COUNT, "rate_in": _REAL,
    "rate_out": _REAL,
}  # fmt: skip
WORKERS = {
    "at": _MOMENT, "worker": _TEXT, "active": _COUNT, "processed": _COUNT, "load1": _REAL, "pid": _COUNT,
    "sw_ver": _TEXT, "freq": _REAL, "clock_offset": _REAL,
}  # fmt: skip


def framed(table: pa.Table, dtypes: dict[str, str]) -> pd.DataFrame:
    """A table as a frame of these columns, right also where no row tells the type."""
    frame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame[list(dtypes)].astype(dtypes)
