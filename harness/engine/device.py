"""Where the model runs and in which precision: what a run's speed, and the last digits of its numbers, depend on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.chunks import ChunkSizes, chunk_sizes_of
from harness.engine.memory import free_memory, taken_memory
from harness.errors import MemoryFull, MissingError, UsageError
from harness.workload import MemoryBudget

DTYPES = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
Dtype = torch.dtype
SHORT = ("float16", "bfloat16")  # computed by autocast
NO_MEMORY = "can't allocate memory"  # torch's words where the CPU has none: it has an exception of its own for GPUs only


@dataclass(frozen=True)
class Device:
    """A device of torch and the precision of matrix products on it. Sums from layer to layer, heads and results are in float32."""

    torch: torch.device
    dtype: str

    @property
    def name(self) -> str:
        """What is computed on, for the record: `cpu`, or `cuda` with the model of the GPU."""
        return (
            "cpu"
            if self.torch.type == "cpu"
            else f"{self.torch.type} ({torch.cuda.get_device_name(self.torch)})"
        )

    @property
    def storage_dtype(self) -> Dtype:
        """The type of what is kept for later, such as the features of a gallery: 16 bits where the run computes in them."""
        return DTYPES[self.dtype]

    @property
    def chunk_sizes(self) -> ChunkSizes:
        """How much is computed at a time."""
        return chunk_sizes_of(self.torch)

    def send(self, tensor: Tensor) -> Tensor:
        """Return a tensor of the host on the device, as `send` does."""
        return send(tensor, self.torch)

    def memory_budget(self) -> MemoryBudget:
        """Return what there is to compute with: of the device's memory, this process's share among those on this machine."""
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if self.torch.type == "cpu":
            free = free_memory()
            return MemoryBudget(
                None if free is None else free // processes,
                taken_memory(),
                self.chunk_sizes.batch,
            )
        free, _ = torch.cuda.mem_get_info(self.torch)
        taken, reserved = (
            torch.cuda.memory_allocated(self.torch),
            torch.cuda.memory_reserved(self.torch),
        )
        sharing = -(-processes // torch.cuda.device_count())
        return MemoryBudget((free + reserved - taken) // sharing, taken, self.chunk_sizes.batch)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Compute predictions in this precision: autocast for the 16-bit types, the tensor cores' TF32 for `tf32`, float32 otherwise.

        Raises MemoryFull where the device runs out of memory.
        """
        short = torch.autocast(self.torch.type, DTYPES[self.dtype], enabled=self.dtype in SHORT)
        try:
            with (
                torch.inference_mode(),
                _products("tf32" if self.dtype == "tf32" else "ieee"),
                short,
            ):
                yield
        except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
            if not isinstance(error, torch.OutOfMemoryError | MemoryError) and NO_MEMORY not in str(
                error
            ):
                raise
            raise MemoryFull(f"{self.name}: out of memory") from error


@contextmanager
def float32_context(device: torch.device) -> Iterator[None]:
    """Compute in float32, whatever a run computes in."""
    with torch.autocast(device.type, enabled=False), _products("ieee"):
        yield


@contextmanager
def _products(precision: str) -> Iterator[None]:
    """Let GPUs multiply float32 in a precision of torch's."""
    matrices, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = matrices.fp32_precision, convolutions.fp32_precision
    matrices.fp32_precision = convolutions.fp32_precision = precision
    try:
        yield
    finally:
        matrices.fp32_precision, convolutions.fp32_precision = before


class AsyncCopy:
    """Numbers on their way from a device to the host; the device may have other things to do meanwhile."""

    def __init__(self, numbers: Tensor) -> None:
        self._host, self._there = numbers.to("cpu", non_blocking=True), None
        if numbers.device.type == "cuda":
            self._there = torch.cuda.Event()
            self._there.record(
                torch.cuda.current_stream(numbers.device)
            )  # of this device, whichever torch takes for the current one

    def wait(self) -> NDArray[Any]:
        """Wait for them, and return them."""
        if self._there is not None:
            self._there.synchronize()
        found: NDArray[Any] = self._host.numpy()
        return found


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device. From the host to a GPU it goes without waiting for the GPU, which torch's plain `.to` would do."""
    if tensor.device.type == "cpu" and device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def choose_device(name: str, dtype: str) -> Device:
    """Return the device of a name (`auto`, `cpu`, `cuda`, `cuda:1`, ...). Raises where it is not there, or cannot compute in `dtype`."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if (
        name == "cuda" and "LOCAL_RANK" in os.environ
    ):  # of the processes that torchrun starts, each takes a device of its own
        name = f"cuda:{int(os.environ['LOCAL_RANK']) % max(1, torch.cuda.device_count())}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            f"--device {name}: torch knows no such device; use auto, cpu, cuda or cuda:N"
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingError(
            f"--device {name}: torch {torch.__version__} finds no CUDA device here; use --device cpu, or install a CUDA build of torch"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise MissingError(
            f"--device {name}: there are {torch.cuda.device_count()} CUDA devices, counted from 0"
        )
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {name}: only cpu and cuda are supported")
    if dtype == "tf32" and device.type != "cuda":
        raise UsageError("--dtype tf32: only CUDA devices compute in TF32; use float32")
    return Device(device, dtype)
