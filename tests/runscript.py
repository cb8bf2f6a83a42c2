"""``python -m tests.runscript CODE``: a line of Python in a process of its own."""

import sys

exec(sys.argv[1])
