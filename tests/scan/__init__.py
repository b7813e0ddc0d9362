"""Scanners let loose on the real server with something in it: `python -m tests.scan`."""
