"""Ten thousand PCs that wait for a phone, on one process."""
