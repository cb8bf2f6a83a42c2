"""Zumodra's own Celery system: queues, entries, base task, transport, worker commands, Django settings. Nothing generic
imports it."""
