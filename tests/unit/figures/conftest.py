"""Small frames of the shapes that figures take."""

from __future__ import annotations

import pandas as pd
import pytest

NOTE = "Source: a test, as of 2026-11-18 00:00 UTC"


@pytest.fixture
def depths() -> pd.DataFrame:
    at = pd.date_range("2026-11-17 22:00", periods=6, freq="h", tz="UTC", unit="us")
    frames = [
        pd.DataFrame({"queue": queue, "at": at, "ready": ready})
        for queue, ready in {
            "payments": [0.0, 2, 1540, 30, None, 0],
            "hr": [0.0, 0, 0, 0, None, 0],
            "emails": [1.0, 0, 4, 0, None, 0],
        }.items()
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def latency() -> pd.DataFrame:
    rows = [
        ("finance.tasks.sync_stripe_payments", "payments", 24, 0.5, 4.1, 9.0, 2.0, 3.0, 3.5),
        ("ats.tasks.generate_sitemap", "ats", 1, 80.0, 80.0, 80.0, 400.0, 400.0, 400.0),
        ("zumodra.celery.health_check", "default", 288, 0.0, 0.0002, 0.01, 0.003, 0.005, 0.2),
    ]
    columns = ["name", "queue", "count"]
    columns += [f"{m}_{q}" for m in ("queue_wait", "run_time") for q in ("p50", "p95", "p99")]
    return pd.DataFrame(rows, columns=columns)
