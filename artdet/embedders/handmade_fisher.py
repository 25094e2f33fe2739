"""Fisher vectors of SIFT descriptors, in the improved form of Perronnin, Sanchez and Mensink (2010)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.devices import is_installed
from artdet.embedders.handmade_base import HandmadeEmbedder, HandmadeSettings, quiet_fit, shaped
from artdet.embedders.handmade_sift import LENGTH, root_sift, sampled
from artdet.errors import MissingBackend
from artdet.images import RGBImage


class Fisher(HandmadeEmbedder):
    """How the patches of an image would change a mixture of Gaussians: its weights, means and variances.

    Descriptors are whitened along their first principal axes; the vector is of square roots and of L2 norm 1.

    Raises:
        MissingBackend: without scikit-image.
    """

    name = "handmade:fisher"

    def __init__(self, settings: HandmadeSettings) -> None:
        if not is_installed("skimage"):
            raise MissingBackend("scikit-image", self.name, 'Install it: pip install "artdet[features]".')
        super().__init__(settings)
        self._mean: NDArray[np.float32] | None = None
        self._axes: NDArray[np.float32] | None = None
        self._mixture: Any = None

    @property
    def dim(self) -> int:
        """Length D of the features."""
        return self.settings.modes * (2 * self.settings.axes + 1)

    @property
    def fitted(self) -> bool:
        """Whether there is a mixture."""
        return self._mixture is not None

    def fit(self, images: Iterable[RGBImage], seed: int) -> None:
        """Finds the principal axes of descriptors of training images, and the mixture along them.

        Raises:
            TrainingError: if they have fewer patches than axes or Gaussians.
        """
        from skimage.feature import learn_gmm
        from sklearn.decomposition import PCA

        least = max(self.settings.axes, 2 * self.settings.modes)
        drawn = sampled(images, self.settings, least=least, seed=seed)
        analysis = PCA(self.settings.axes, svd_solver="full")
        # Images of one colour have no variance of which each axis has a share.
        with quiet_fit(), np.errstate(invalid="ignore"):
            analysis.fit(drawn)
        # Axes without any variance, as of images of one colour, count for nothing instead of dividing by zero.
        spread = np.sqrt(np.maximum(analysis.explained_variance_, 1e-8))
        self._mean = analysis.mean_.astype(np.float32)
        self._axes = (analysis.components_ / spread[:, None]).astype(np.float32)
        options = {"random_state": seed, "covariance_type": "diag", "reg_covar": 1e-3, "max_iter": 50}
        rows = self._along_axes(drawn)
        with quiet_fit():
            self._mixture = learn_gmm(rows, n_modes=self.settings.modes, gm_args=options)  # type: ignore[no-untyped-call]

    def described(self, image: RGBImage) -> NDArray[np.float32]:
        """(D,) features of one image: the parts of weights, means and variances one after the other."""
        from skimage.feature import fisher_vector

        rows = self._along_axes(root_sift(image, self.settings.points))
        vector = fisher_vector(rows, self._mixture, improved=True, alpha=0.5)  # type: ignore[no-untyped-call]
        return np.asarray(vector, dtype=np.float32)

    def codebook(self) -> dict[str, NDArray[np.float32]]:
        """Mean (128,) and axes (A, 128) of descriptors; weights (M,), means and variances (M, A) of the mixture."""
        assert self._mean is not None
        assert self._axes is not None
        mixture = {
            "weights": self._mixture.weights_,
            "means": self._mixture.means_,
            "variances": self._mixture.covariances_,
        }
        tensors = {"mean": self._mean, "axes": self._axes, **mixture}
        # safetensors writes the memory as it lies, and scikit-learn's lies column by column.
        return {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()}

    def take_codebook(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        """Sets axes and mixture."""
        from sklearn.mixture import GaussianMixture

        modes, axes = self.settings.modes, self.settings.axes
        self._mean = shaped(tensors["mean"], LENGTH)
        self._axes = shaped(tensors["axes"], axes, LENGTH)
        weights = shaped(tensors["weights"], modes).astype(np.float64)
        variances = shaped(tensors["variances"], modes, axes).astype(np.float64)
        mixture = GaussianMixture(modes, covariance_type="diag")
        mixture.weights_ = weights / weights.sum()
        mixture.means_ = shaped(tensors["means"], modes, axes).astype(np.float64)
        mixture.covariances_ = variances
        mixture.precisions_cholesky_ = 1 / np.sqrt(variances)
        self._mixture = mixture

    def _along_axes(self, descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._mean is not None
        assert self._axes is not None
        return np.asarray((descriptors - self._mean) @ self._axes.T)
