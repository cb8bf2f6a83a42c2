"""The platform's business tasks: real work on a real database.

One package a domain, named as in the task names (``tasks/ats/tasks.py`` holds ``ats.tasks.*``). Nothing here
imports ``zumolib``: settings come from Django, the base task comes through the app that loads them.
"""
