"""One run: from a request to a record, on one process or several, through any interruption."""
