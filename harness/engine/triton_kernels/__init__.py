"""The kernels behind `fused`, in Triton: each reads its inputs once and writes its result once.

Imported only where they are used. `TRITON_INTERPRET=1` runs them on a CPU, slowly, for the tests.

windows.py          attention within windows, with its bias
attention.py        all other attention
packed.py           attention of packed texts, without padding
rows.py             LayerNorm with the sums, gathers and scatters around it
"""

from harness.engine.triton_kernels.attention import attention
from harness.engine.triton_kernels.packed import packed_attention
from harness.engine.triton_kernels.rows import rows
from harness.engine.triton_kernels.windows import window_attention

__all__ = ["attention", "packed_attention", "rows", "window_attention"]
