"""Runs of the embedded model that tests of records share: never change them, copy them."""

from tests.support.results import baseline

__all__ = ["baseline"]
