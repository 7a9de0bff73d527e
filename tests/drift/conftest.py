"""Runs of the embedded model that tests of the gate share: never change them, copy them."""

from tests.support.results import baseline

__all__ = ["baseline"]
