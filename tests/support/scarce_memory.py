"""Models that run out of memory."""

import os

import torch

from harness.models.xvlm.swin import VisionEncoder

CUDA_WORDS = "CUDA out of memory. Tried to allocate 2.00 GiB."


def limit_images(put, *, most, calls=None, on_cpu=False, look=lambda images: None):
    """Let the vision encoder run out of memory for more than `most` images.

    After `calls` calls, any number of images fails. `put` is setattr, or a version of it that is
    undone. `on_cpu` requests more memory than the CPU has; otherwise the error is a GPU's.
    """
    encode, made = VisionEncoder.forward, []

    def scarce(self, images):
        look(images)
        if len(images) > most or (calls is not None and len(made) == calls):
            if on_cpu:
                torch.empty(1 << 60)
            raise torch.OutOfMemoryError(CUDA_WORDS)
        made.append(None)
        return encode(self, images)

    put(VisionEncoder, "forward", scarce)


def limit_images_of_the_second():
    """Let the second of several processes encode one image at a time."""
    if os.environ["RANK"] == "1":
        limit_images(setattr, most=1)
