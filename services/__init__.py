"""What can happen: one verb a function, one transaction each; jobs."""
