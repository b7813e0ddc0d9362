"""The course page and the link's POST, beside bare handlers: `.venv/bin/python -m benchmarks.pages`."""
