"""Annotations of the real benchmarks, where this machine has them.

They are too large to commit, and belong to others.
"""

from pathlib import Path

REAL = Path(__file__).parents[3] / "shared" / "data" / "nlvr2"
