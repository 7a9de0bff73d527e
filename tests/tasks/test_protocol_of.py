"""The protocol of a record: of the task by the capability that predicts, and of the model."""

from typing import ClassVar

from harness.capabilities import AttributeMatcher, DualEncoder
from tasks.ovad import OVAD
from tasks.refcoco_plus import RefCOCOPlus
from tests.engine.test_similarity import Encoder


class Compared(RefCOCOPlus):
    needs: ClassVar = (AttributeMatcher, DualEncoder)
    protocols: ClassVar = {DualEncoder: "by-cosine"}


class Matcher(Encoder):
    def similarity(self, images, sentences):
        raise NotImplementedError


def test_a_capability_may_have_a_protocol_of_its_own():
    assert OVAD().protocol_of(Encoder()) == f"{OVAD.protocol}|cosine"
    assert Compared().protocol_of(Encoder()) == "by-cosine|cosine"
    matcher = Matcher(protocol="itc")
    assert Compared().protocol_of(matcher) == f"{RefCOCOPlus.protocol}|itc"
