"""Where the model runs and in which precision: what a run's speed, and the last digits of its numbers, depend on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from harness.errors import MissingError, UsageError

DTYPES = {"float32": torch.float32, "tf32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Device:
    """A device of torch and the precision of matrix products on it. Weights, norms and results stay in float32."""

    torch: torch.device
    dtype: str

    @property
    def kind(self) -> str:
        return self.torch.type

    @contextmanager
    def precision(self) -> Iterator[None]:
        """Compute in this precision: autocast for the 16-bit types, the tensor cores' TF32 for `tf32`, exact float32 otherwise."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if self.dtype == "tf32" else "highest")
        try:
            with torch.autocast(self.kind, DTYPES[self.dtype], enabled=self.dtype in ("float16", "bfloat16")):
                yield
        finally:
            torch.set_float32_matmul_precision(before)


def choose_device(name: str, dtype: str) -> Device:
    """Return the device of a name (`auto`, `cpu`, `cuda`, `cuda:1`, ...). Raises where it is not there, or cannot compute in `dtype`."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name}: torch knows no such device; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingError(
            f"--device {name}: torch {torch.__version__} finds no CUDA device here; use --device cpu, or install a CUDA build of torch"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise MissingError(f"--device {name}: there are {torch.cuda.device_count()} CUDA devices, counted from 0")
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {name}: only cpu and cuda are supported")
    if dtype == "tf32" and device.type != "cuda":
        raise UsageError("--dtype tf32: only CUDA devices compute in TF32; use float32")
    return Device(device, dtype)
