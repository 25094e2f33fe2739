"""Finding and reading image files. Inside artdet an image is RGB uint8 (H, W, 3), upright."""

import numpy as np
from numpy.typing import NDArray

RGBImage = NDArray[np.uint8]
"""RGB uint8 (H, W, 3), EXIF orientation applied."""
