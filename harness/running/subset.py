"""The samples that `--limit` chooses, the same on every machine."""

import hashlib
from collections.abc import Sequence
from typing import Any


def subset(samples: Sequence[Any], limit: int) -> list[Any]:
    """Return the `limit` samples with the smallest SHA-256 of their ids, in the order given."""
    ranked = sorted(samples, key=lambda sample: hashlib.sha256(str(sample.id).encode()).digest())
    chosen = {sample.id for sample in ranked[:limit]}
    return [sample for sample in samples if sample.id in chosen]
