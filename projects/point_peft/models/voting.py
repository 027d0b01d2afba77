"""Voting: what a model says on average about scaled copies of a cloud (test-time augmentation)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from ..io.errors import InvalidValueError
from ..registry import MODELS
from ..structures import PointDataSample


@MODELS.register_module()
class VotingModel(BaseModel):
    """Average a model's probabilities over randomly scaled and moved copies of every cloud.

    Off unless asked for, as it flatters: numbers with and without voting must not be compared. MMEngine's
    ``BaseTTAModel`` expects a data set that gives all copies of an object; here they are made on the device. The copies
    are drawn once, the same for all clouds, so that a result does not depend on the batch that a cloud is in.

    Args:
        module (BaseModel | dict): A classifier or part segmentation model, or its config.
        num_votes (int): Copies of every cloud; 10 as published.
        scale (Sequence[float]): Range of the factors.
        translate (float): The offsets are U(-translate, translate), in units of the cloud; 0 for none.
        isotropic (bool): Whether to scale the three axes by one factor.
        seed (int): Seed of the draws.

    Raises:
        ValueError: If there is no vote, or the range is none.
    """

    def __init__(
        self,
        module: BaseModel | dict[str, Any],
        num_votes: int = 10,
        *,
        scale: Sequence[float] = (0.8, 1.25),
        translate: float = 0.0,
        isotropic: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if num_votes < 1:
            raise InvalidValueError(
                f'num_votes={num_votes} must be at least 1; leave voting out for a plain test.'
            )
        low, high = scale
        if not 0 < low <= high:
            raise InvalidValueError(
                f'scale={tuple(scale)} must be two positive factors, the smaller one first.'
            )
        self.module = MODELS.build(module) if isinstance(module, dict) else module
        self.num_votes = num_votes
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.rand(num_votes, 1 if isotropic else 3, generator=generator, device='cpu')
        moved = torch.rand(num_votes, 3, generator=generator, device='cpu')
        self.factors = low + (high - low) * drawn  # (votes, 1 or 3)
        self.offsets = translate * (2 * moved - 1)  # (votes, 3)

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: Sequence[PointDataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Run the model on all copies.

        Args:
            inputs (dict): As the model's, with ``points`` (B, N, 3).
            data_samples (Sequence[PointDataSample] | None): As the model's.
            mode (str): ``tensor`` for logits whose softmax is the mean over the votes of the model's probabilities, or
                ``predict`` for data samples with predictions.

        Raises:
            ValueError: If another mode is asked for; there is nothing to train.
        """
        if mode not in ('tensor', 'predict'):
            raise InvalidValueError(f"mode={mode!r} is unknown to VotingModel; use 'tensor' or 'predict'.")
        logits = self.vote(inputs)
        return logits if mode == 'tensor' else self.module.head.to_samples(logits, inputs, data_samples)

    def vote(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logarithm of the mean probabilities, in the shape of the model's logits."""
        points = inputs['points']
        votes = []
        for factor, offset in zip(self.factors.to(points), self.offsets.to(points)):
            copy = points[..., :3] * factor + offset
            copied = torch.cat([copy, points[..., 3:]], dim=-1)
            votes.append(self.module({**inputs, 'points': copied}, mode='tensor').log_softmax(dim=-1))
        return torch.stack(votes).logsumexp(dim=0) - math.log(self.num_votes)

    def test_step(self, data: dict[str, Any]) -> list[PointDataSample]:
        """Predict a batch of a data loader, prepared by the model's own data preprocessor."""
        return self(**self.module.data_preprocessor(data, False), mode='predict')
