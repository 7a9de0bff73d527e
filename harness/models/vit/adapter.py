"""ALBEF and BLIP as models of `harness.capabilities`: what every adapter offers."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from torch import nn

from harness.engine.device import Device
from harness.models.filling import unfilled
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.networks import Network
from harness.models.vit.runtime import Runtime, TextRule

N = TypeVar("N", bound=Network)


class Adapter(Generic[N]):
    """What every adapter offers beside its capability (`harness.capabilities.Model`)."""

    family: ClassVar[str]
    kind: ClassVar[str]  # of the checkpoints
    purpose: ClassVar[str]
    resampling: ClassVar[str] = "bicubic"
    tokenizer: ClassVar[type[Tokenizer]] = Tokenizer
    rule: ClassVar[TextRule]

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly.

        Raises CheckpointError where they, or the vocabulary, do not fit; CapabilityError for a
        checkpoint with another head.
        """
        checkpoint.require(self.kind, self.purpose)
        with unfilled():
            network = self.build(checkpoint)
        checkpoint.fill(network)
        self.runtime = Runtime(
            network,
            self.tokenizer(vocabulary),
            device,
            differentiable=self.differentiable(network),
        )
        self.network: N = self.runtime.network
        self.device, self.provenance = device.name, self.runtime.provenance
        self.prepare, self.memory_budget = self.runtime.prepare, device.memory_budget
        parts = (self.family, self.method, f"{self.runtime.side}px", self.resampling, self.rule)
        self.protocol = "|".join(map(str, parts))

    @property
    def method(self) -> str:
        """Everything in the heads and in the rule of ranking that can move a number."""
        return self.kind

    def build(self, checkpoint: Checkpoint) -> N:
        """Return the network that the checkpoint fills."""
        raise NotImplementedError

    def differentiable(self, network: N) -> Sequence[nn.Module]:
        """Return the modules that gradients pass through."""
        return ()

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts as the model reads them."""
        return self.runtime.token_ids(texts, self.rule)
