"""The real Argilla server on SQL alone: its search engine, its start-up, its locking.

This package runs in the server's own environment (`annotation/server/requirements.txt`) and knows
nothing of prefkit; prefkit talks to it over HTTP and starts it as a process.
"""
