"""ALBEF-like models as models of `harness.capabilities`: what every adapter offers.

An adapter turns a checkpoint into a model with one capability. Its class names everything that a
family decides: how texts are read, which network a checkpoint fills, which rule ranks.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from torch import nn

from harness.engine.device import Device
from harness.models.fusion.layer_costs import Demand
from harness.models.fusion.networks import FusionNetwork
from harness.models.fusion.runtime import Runtime, TextRule
from harness.models.fusion.settings import Settings
from harness.models.fusion.tokenizer import Tokenizer
from harness.workload import Workload

N = TypeVar("N", bound=FusionNetwork)


class Adapter(Generic[N]):
    """What every adapter offers beside its capability (`harness.capabilities.Model`).

    family      its part of the protocol; X-VLM's protocols, which came first, name none
    tokenizer   the family's
    rule        how texts are read
    resampling  the filter by which images are resized
    reads       the settings that change what this capability does, as `--model-args` names them
    """

    family: ClassVar[str]
    tokenizer: ClassVar[type[Tokenizer]] = Tokenizer
    rule: TextRule = TextRule()
    resampling: ClassVar[str] = "bicubic"
    reads: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        checkpoint: Any,
        vocabulary: Path,
        device: Device,
        settings: Settings = Settings(),  # noqa: B008  (frozen)
    ) -> None:
        """Load the weights strictly.

        Raises CheckpointError where they, or the vocabulary, do not fit; CapabilityError for a
        checkpoint with another head; UsageError for settings that this model cannot follow.
        """
        self.settings = settings
        network = self.network_of(checkpoint)
        self.runtime = Runtime(
            network,
            self.tokenizer(vocabulary),
            device,
            differentiable=self.differentiable(network),
            tied=self.tied(network),
        )
        self.network: N = self.runtime.network
        self.device, self.provenance = device.name, self.runtime.provenance
        self.memory_budget = device.memory_budget
        self.prepare = (
            self.runtime.prepare_bilinear if self.resampling == "bilinear" else self.runtime.prepare
        )
        self.check_settings()

    @property
    def protocol(self) -> str:
        """Everything in the model's inputs and heads that can change a result."""
        side = f"{self.runtime.side}px"
        parts = (self.family, self.method, side, self.resampling, str(self.rule), self.generation)
        return "|".join(filter(None, parts))

    @property
    def method(self) -> str:
        """The head, and the rule by which it decides."""
        raise NotImplementedError

    @property
    def generation(self) -> str:
        """How texts are generated, if any are."""
        return ""

    def check_settings(self) -> None:
        """Raise UsageError for settings that the loaded model cannot follow."""

    def network_of(self, checkpoint: Any) -> N:
        """Return the network, filled with the checkpoint."""
        raise NotImplementedError

    def differentiable(self, network: N) -> Sequence[nn.Module]:
        """Return the modules that gradients pass through."""
        return ()

    def tied(self, network: N) -> Sequence[nn.Module]:
        """Return the linear maps that share the weight of an embedding, to save memory."""
        return ()

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts as the model reads them."""
        return self.runtime.token_ids(texts, self.rule)

    def demand(self, workload: Workload) -> Demand:
        """Return what a workload demands of this network; `cost` adds it up."""
        return Demand(
            self.network.vision,
            self.network.text,
            workload,
            length=self.runtime.mean_length(workload.texts, self.rule),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )
