"""An operations workbench for Celery: one app, its schedule, and the library behind the notebooks.

Importing the package imports nothing else, so that the command line answers at once; ``celery -A
zumolib`` finds the app in :mod:`zumolib.celery` by itself.
"""

__version__ = "0.1.0"
