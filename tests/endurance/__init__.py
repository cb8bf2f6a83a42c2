"""What is too long for a suite: many tasks while every process is killed in turn, and hours under load.

``python -m tests.endurance.killed`` and ``python -m tests.endurance.hours``; each says what it found and ends
with 1 where something was lost or grew.
"""
