"""Doors out: asynchronous clients of other companies; they know nothing of ours."""
