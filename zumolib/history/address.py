"""What a history's setting names: a local folder, or an object store's URL."""

from __future__ import annotations

from pathlib import Path

from zumolib.conf import conf
from zumolib.history.place import Folder, Place


def opened(root: Path | str, *, patience: int | None = None) -> Place:
    """The place of this address.

    Parameters
    ----------
    root
        A folder, or a URL as ``s3://bucket/prefix``.
    patience
        Seconds after which an object store does not answer; None for as long as work takes, with some
        attempts more. A local folder answers at once.

    Raises
    ------
    HistoryError
        The URL is not understood.
    """
    if isinstance(root, str) and "://" in root:
        from zumolib.history.bucket import Bucket

        return Bucket(root, conf().folder_of(root), patience=patience)
    return Folder(Path(root))
