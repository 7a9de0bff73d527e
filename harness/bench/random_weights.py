"""Random weights on which the engine and the literal algorithm can be compared."""

import re

import torch
from torch import Tensor, nn

SEED = 2111_08276
CROSS_ATTENTION = re.compile(r"(.*\.layer\.)(\d+)(\.crossattention\.self\.(?:key|value)\..*)")


def random_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Return random weights by name, the same at every call.

    A parameter with two names is one tensor.
    """
    rng = torch.Generator().manual_seed(SEED)
    drawn: dict[int, Tensor] = {}
    tensors: dict[str, Tensor] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        if id(parameter) not in drawn:
            drawn[id(parameter)] = _draw(name, parameter.shape, rng)
        tensors[name] = drawn[id(parameter)]
    return tensors


def share_pair_projections(tensors: dict[str, Tensor]) -> None:
    """Make the two fusion layers of each pair share their key and value projections (NLVR2)."""
    matches = [match for name in tensors if (match := CROSS_ATTENTION.fullmatch(name))]
    first = min(int(match[2]) for match in matches)
    for match in matches:
        prefix, layer, suffix = match[1], int(match[2]), match[3]
        if (layer - first) % 2:
            tensors[match[0]] = tensors[f"{prefix}{layer - 1}{suffix}"]


def _draw(name: str, shape: torch.Size, rng: torch.Generator) -> Tensor:
    """Draw a parameter, scaled so that activations keep their variance with depth.

    Queries and keys are larger, so that attention is not uniform.
    """
    numbers = torch.randn(shape, generator=rng)
    if "relative_position_bias_table" in name:
        return numbers * 0.5
    if len(shape) > 1:
        return numbers * (_gain(name) / shape[1:].numel() ** 0.5)
    return 1 + 0.1 * numbers if name.endswith("weight") else 0.05 * numbers


def _gain(name: str) -> float:
    if ".query." in name or ".key." in name:
        return 2.5
    return 0.25 if "crossattention.output.dense" in name else 1.4
