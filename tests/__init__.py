"""The suite: every story through its outer door."""
