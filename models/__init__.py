"""Rows, and the rules that need only rows and the time."""
