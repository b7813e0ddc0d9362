"""Speed, beside its peers: each module is one command, `.venv/bin/python -m benchmarks.NAME`."""
