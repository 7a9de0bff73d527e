"""The command where memory is full sooner: `python -m tests.support.scarce_memory run ...`, on the second of several processes."""

import os
import sys

import torch

from harness.cli.main import main
from harness.models.xvlm.swin import VisionEncoder

CUDA_WORDS = "CUDA out of memory. Tried to allocate 2.00 GiB."


def limit_images(put, *, most, calls=None, on_cpu=False, look=lambda images: None):
    """Let the vision encoder run out of memory for more than `most` images; after so many `calls`, for any.

    `put` is setattr, or what undoes itself; `on_cpu` asks the CPU for more than there is, else the error is that of a GPU.
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


if __name__ == "__main__":
    if os.environ.get("RANK") == "1":
        limit_images(setattr, most=1)
    sys.exit(main())
