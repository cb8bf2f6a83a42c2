"""``python -m zumolib`` is the ``zumo`` command."""

from zumolib.cli import main

main()
