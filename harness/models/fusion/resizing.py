"""The image transform that the ALBEF-like families share, bit for bit.

Without torch: processes that decode images import nothing else of a model.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def resize(
    image: Image.Image, side: int, filter: Image.Resampling = Image.Resampling.BICUBIC
) -> NDArray[np.uint8]:
    """Return the image squashed to `side` x `side` pixels, RGB, [side, side, 3].

    Alpha is dropped and the EXIF orientation ignored, as in the references. The two steps, width
    first, are those inside Pillow up to 12; Pillow 13 begins with the height of portrait images,
    which changes 11 % of the values by up to 6.
    """
    rgb = image if image.mode == "RGB" else image.convert("RGB")  # which would copy it
    return np.array(rgb.resize((side, rgb.height), filter).resize((side, side), filter))
