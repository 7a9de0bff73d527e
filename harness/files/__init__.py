"""Parse, lock, find and write files."""
