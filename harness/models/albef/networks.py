"""ALBEF's NLVR2 model, and the names of tensors in its files."""

from collections.abc import Mapping

from torch import Tensor

from harness.errors import CheckpointError
from harness.models.filling import unfilled
from harness.models.fusion.layers import Layer
from harness.models.fusion.pair_kv import AlternatingKV, PairKV
from harness.models.recognition import refuse_other_family
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.networks import PairNetwork


def official_names(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return a file's tensors by the names of fine-tuned files.

    Pre-training files name the text encoder `text_encoder.bert.*`, its language model
    `text_encoder.cls.*`. (`Retrieval.py` 269-273.) Raises CheckpointError for another family's.
    """
    refuse_other_family(tensors, "albef")
    return {
        name.replace("bert.", "") if name.startswith("text_encoder.") else name: tensor
        for name, tensor in tensors.items()
    }


class AlbefPairNetwork(PairNetwork):
    """ALBEF's NLVR2 model: 12 fusion layers, in turn for the first and the second image."""

    def project_kv(self, tokens: Tensor, pairs: Tensor) -> PairKV:
        """Project each image once, whichever side it is on."""
        return AlternatingKV.project(self.text_encoder.fusion_layers, tokens, pairs)


def pair_network(checkpoint: Checkpoint) -> AlbefPairNetwork:
    """Return the filled network of a file.

    Raises CapabilityError for a file with another head, CheckpointError for one that does not fill
    the network, and where the layers of a pair differ in keys or values.
    """
    checkpoint.require("nlvr", "judging pairs of images")
    with unfilled():
        network = AlbefPairNetwork(checkpoint.architecture)
    layers: list[Layer] = network.text_encoder.fusion_layers
    if len(layers) % 2:
        raise CheckpointError(f"{checkpoint.path}: its {len(layers)} fusion layers form no pairs")
    first = network.text_encoder.fusion_layer
    for number in range(first, first + len(layers), 2):
        for part in ("key.weight", "key.bias", "value.weight", "value.bias"):
            names = [
                f"text_encoder.encoder.layer.{layer}.crossattention.self.{part}"
                for layer in (number, number + 1)
            ]
            even, odd = (checkpoint.tensors.get(name) for name in names)
            if even is None or odd is None or not even.equal(odd):
                raise CheckpointError(
                    f"{checkpoint.path}: {names[0]} differs from that of the next layer; in "
                    "ALBEF the layers of a pair share it"
                )
    return checkpoint.fill(network)
