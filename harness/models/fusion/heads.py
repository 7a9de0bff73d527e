"""Task heads, in float32 in every run and with bits that do not depend on the batch."""

from torch import Tensor, nn

from harness.engine.device import float32_context


class BatchInvariantLinear(nn.Linear):
    """A linear map to a few outputs whose bits depend neither on the batch nor on the threads.

    Matrix products with few outputs are split differently from case to case.
    """

    def forward(self, states: Tensor) -> Tensor:
        return (states[..., None, :] * self.weight).sum(-1) + self.bias


def apply_head(head: nn.Module, states: Tensor) -> Tensor:
    """Apply a head in float32 in every run: it costs little, and fewer bits would show."""
    with float32_context(states.device):
        result: Tensor = head(states.float())
        return result
