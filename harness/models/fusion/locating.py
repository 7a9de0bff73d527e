"""Show where in an image a text finds its evidence: Grad-CAM maps (weakly supervised grounding)."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from harness.errors import UsageError
from harness.models.fusion import costs
from harness.models.fusion.adapter import Adapter
from harness.models.fusion.gradcam import gradcam_maps, released_layer
from harness.models.fusion.networks import RetrievalNetwork
from harness.workload import Cost, Workload


class FusionLocalizer(Adapter[RetrievalNetwork]):
    """Explain image-text matching by the cross-attention of a fusion layer.

    `fusion_layer` is that layer of the released configuration, counted from the first fusion layer.
    """

    reads = ("gradcam", "block")
    fusion_layer: ClassVar[int]

    @property
    def layer(self) -> int:
        """The layer whose cross-attention is taken: `block_num`."""
        return self.layer_of(self.network)

    @property
    def method(self) -> str:
        return f"itm-gradcam|layer {self.layer}"

    def layer_of(self, network: RetrievalNetwork) -> int:
        """Return the layer that a user chose, by default the released one.

        Raises UsageError for a layer without cross-attention.
        """
        text, layer = network.text, self.settings.block
        if layer is None:
            return released_layer(text, fusion_layer=self.fusion_layer)
        if not text.fusion_layer <= layer < text.layers:
            raise UsageError(
                f"--model-args block={layer}: the layers with cross-attention are "
                f"{text.fusion_layer} to {text.layers - 1}"
            )
        return layer

    def differentiable(self, network: RetrievalNetwork) -> Sequence[nn.Module]:
        return network.text_encoder.layers[self.layer_of(network) :]

    def localize(
        self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a map [N, P, P] for each expression; an image is encoded once."""
        device = self.runtime.device
        with device.computing(gradients=True):
            maps = gradcam_maps(
                self.network,
                self.runtime.encode_images(images),
                self.token_ids(expressions),
                image_of=image_of,
                layer=self.layer,
                device=device,
            )
            result: NDArray[np.float32] = maps.cpu().numpy()
            return result

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of localizing expressions."""
        return costs.localization(self.demand(workload), layer=self.layer)
