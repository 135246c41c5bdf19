"""Pairs of images verified by a GPU or by the cores."""

from __future__ import annotations

import numpy as np
import torch

from landmarks.config import VerificationSettings
from landmarks.cuda import is_out_of_memory
from landmarks.errors import UserError
from landmarks.ops.local_features import LocalFeatures
from landmarks.ops.verification import Verified, verify_pairs
from landmarks.ops.verification_torch import verify_pairs_torch

ON_A_GPU = 256  # pairs at a time: 2 GB of similarities for 1000 features an image; halved where the memory is not enough


class PairVerifier:
    """Verifies pairs on `device`; `together` is the number of pairs that a GPU holds at a time."""

    def __init__(self, settings: VerificationSettings, device: torch.device):
        self._settings, self._device = settings, device
        self.together = ON_A_GPU

    @property
    def on_gpu(self) -> bool:
        return self._device.type == "cuda"

    def verify(self, queries: LocalFeatures, index: LocalFeatures, pairs: np.ndarray, seeds: np.ndarray, *, by_cores: bool) -> Verified:
        """As `ops.verification.verify_pairs`, by the GPU where there is one and not `by_cores`.

        Raises UserError where the GPU's memory is not enough for one pair.
        """
        if by_cores or not self.on_gpu:
            return verify_pairs(queries, index, pairs, seeds, self._settings)
        while True:
            try:
                return verify_pairs_torch(queries, index, pairs, seeds, self._settings, self._device, self.together)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self.together == 1:
                    raise UserError(
                        "the GPU's memory is not enough for one pair of images",
                        where="extract.local.max_features",
                        next="fewer features, or run.device=cpu; and no other program on the GPU",
                    ) from None
            torch.cuda.empty_cache()
            self.together //= 2
