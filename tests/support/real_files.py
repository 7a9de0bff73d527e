"""Annotations of the real benchmarks, where this machine has them: too large, and not ours, to commit."""

from pathlib import Path

REAL = Path(__file__).parents[3] / "shared" / "data" / "nlvr2"
