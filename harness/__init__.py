"""Evaluate vision-language models of the X-VLM family by their own protocols. Read `task.py`, `capabilities.py`, `evaluate.py`."""
