"""BLIP's vision transformer, block by block, against the official model: ALBEF's tests."""

from tests.parity.test_albef_vit import (  # noqa: F401
    tensors,
    test_every_block_has_the_official_output,
    test_positions_are_interpolated_as_officially,
    test_sizes_are_read_from_tensors_and_configuration,
)

KIND = "blip_vit"
