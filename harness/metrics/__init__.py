"""Official metrics as pure functions, one file per benchmark.

`vqa`, `nlvr2`, `captions` (with `java`), `retrieval` and `pairs`, `grounding` and `weak_grounding`, `attributes` (OVAD).
"""
