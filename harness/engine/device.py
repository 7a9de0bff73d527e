"""Where a model runs and in which precision: they decide its speed and its last digits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.chunks import ChunkSizes, chunk_sizes_of
from harness.engine.kernels import choose_kernels, current, fused_kernels
from harness.engine.memory import free_memory, is_out_of_memory, keep_freed_memory, taken_memory
from harness.engine.packed_attention import choose_packed_attention, packed_attention
from harness.engine.step_graphs import choose_step_graphs
from harness.errors import MemoryFull, MissingError, UsageError
from harness.files.environment import whole_number
from harness.workload import MemoryBudget

DTYPES = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
AUTOCAST = ("float16", "bfloat16")
RERANKED_IMAGES = "XVLM_EVAL_RERANKED_IMAGES"
Dtype = torch.dtype  # in `Device`, `torch` is a field


@dataclass(frozen=True)
class Device:
    """A torch device and the precision of its matrix products.

    Residuals, heads and results are in float32 in any case. `fused` kernels need fewer passes over
    a GPU's memory (`harness.engine.fused`); `packed_attention` pads no texts; `step_graphs` replay
    the steps of beam search. `reranked_images` are re-ranked together; None: as many as suit the
    device.
    """

    torch: torch.device
    dtype: str
    fused: bool = False
    packed_attention: bool = False
    step_graphs: bool = False
    reranked_images: int | None = None

    @property
    def name(self) -> str:
        """The name for the record: `cpu` or `cuda`, the model of the GPU, and what was chosen."""
        details = []
        if self.torch.type == "cuda":
            details.append(torch.cuda.get_device_name(self.torch))
        if self.fused:
            details.append("fused kernels")
        if self.packed_attention:
            details.append("packed attention")
        if self.step_graphs:
            details.append("step graphs")
        if self.reranked_images is not None:
            details.append(f"re-ranked images: {self.reranked_images}")
        return f"{self.torch.type} ({', '.join(details)})" if details else self.torch.type

    @property
    def storage_dtype(self) -> Dtype:
        """The type of what is stored for later, such as a gallery: 16 bits if the run uses them."""
        return DTYPES[self.dtype]

    @property
    def chunk_sizes(self) -> ChunkSizes:
        """How much the device computes at a time."""
        sizes = chunk_sizes_of(self.torch)
        if self.reranked_images is None:
            return sizes
        return replace(sizes, reranked_images=self.reranked_images)

    def send(self, tensor: Tensor) -> Tensor:
        """Return a tensor on the device, as the function `send` does."""
        return send(tensor, self.torch)

    def memory_budget(self) -> MemoryBudget:
        """Return this process's share of the device's memory, among the processes here."""
        processes, batch = whole_number("LOCAL_WORLD_SIZE") or 1, self.chunk_sizes.batch
        if self.torch.type == "cpu":
            free = free_memory()
            share = None if free is None else free // processes
            return MemoryBudget(share, taken_memory(), batch)
        free, _ = torch.cuda.mem_get_info(self.torch)
        taken = torch.cuda.memory_allocated(self.torch)
        unused = torch.cuda.memory_reserved(self.torch) - taken
        sharing = -(-processes // torch.cuda.device_count())
        return MemoryBudget((free + unused) // sharing, taken, batch)

    @contextmanager
    def computing(self, *, gradients: bool = False) -> Iterator[None]:
        """Compute predictions in this precision: by autocast in 16 bits, on tensor cores in TF32.

        With `gradients`, `torch.enable_grad` may be used inside. Raises MemoryFull where the device
        runs out of memory.
        """
        mode = torch.no_grad() if gradients else torch.inference_mode()
        autocast = torch.autocast(
            self.torch.type, DTYPES[self.dtype], enabled=self.dtype in AUTOCAST
        )
        precision = "tf32" if self.dtype == "tf32" else "ieee"
        try:
            with (
                mode,
                _fp32_precision(precision),
                autocast,
                current(self.torch),
                fused_kernels(self.fused and not gradients),
                packed_attention(self.packed_attention and not gradients),
            ):
                yield
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryFull(f"{self.name}: out of memory") from error


@contextmanager
def float32_context(device: torch.device) -> Iterator[None]:
    """Compute in full float32, whatever the precision of the run."""
    with torch.autocast(device.type, enabled=False), _fp32_precision("ieee"):
        yield


@contextmanager
def _fp32_precision(precision: str) -> Iterator[None]:
    """Set the precision in which GPUs multiply float32: `ieee` or `tf32`."""
    matmul = torch.backends.cuda.matmul
    conv = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = matmul.fp32_precision, conv.fp32_precision
    matmul.fp32_precision = conv.fp32_precision = precision
    try:
        yield
    finally:
        matmul.fp32_precision, conv.fp32_precision = before


class AsyncCopy:
    """An asynchronous device-to-host copy."""

    def __init__(self, numbers: Tensor) -> None:
        self._host, self._arrived = numbers.to("cpu", non_blocking=True), None
        if numbers.device.type == "cuda":
            self._arrived = torch.cuda.Event()
            # On the stream of this device, which need not be torch's current one.
            self._arrived.record(torch.cuda.current_stream(numbers.device))

    def wait(self) -> NDArray[Any]:
        """Return the numbers once they have arrived."""
        if self._arrived is not None:
            self._arrived.synchronize()
        array: NDArray[Any] = self._host.numpy()
        return array


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device; a copy from the host to a GPU does not wait for the GPU."""
    if tensor.device.type == "cpu" and device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def choose_device(name: str, dtype: str) -> Device:
    """Return the device of a name (`auto`, `cpu`, `cuda`, `cuda:1`, ...).

    Raises UsageError or MissingError where it does not exist or cannot compute in `dtype`.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and (rank := whole_number("LOCAL_RANK", least=0)) is not None:
        name = f"cuda:{rank % max(1, torch.cuda.device_count())}"  # torchrun: one GPU each
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            f"--device {name}: torch knows no such device; use auto, cpu, cuda or cuda:N"
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingError(
            f"--device {name}: torch {torch.__version__} finds no CUDA device here; "
            "use --device cpu, or install a CUDA build of torch"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise MissingError(
            f"--device {name}: there are {torch.cuda.device_count()} CUDA devices, counted from 0"
        )
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {name}: only cpu and cuda are supported")
    if dtype == "tf32" and device.type != "cuda":
        raise UsageError("--dtype tf32: only CUDA devices compute in TF32; use float32")
    keep_freed_memory()
    return Device(
        device,
        dtype,
        fused=choose_kernels(device, dtype),
        packed_attention=choose_packed_attention(device, dtype),
        step_graphs=choose_step_graphs(device),
        reranked_images=whole_number(RERANKED_IMAGES),
    )
