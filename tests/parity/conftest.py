"""How closely a golden array has to be met."""

from typing import Any

import numpy as np
import pytest
import torch


@pytest.fixture
def close():
    """Compare with a golden array as the goldens ask for: the same shape, float32 within 1e-4."""

    def check(actual: Any, expected: np.ndarray) -> None:
        actual = (
            actual.detach().cpu().numpy()
            if isinstance(actual, torch.Tensor)
            else np.asarray(actual)
        )
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)

    return check
