"""Features of clouds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from ..heads.pooling import pool_tokens
from ..io.errors import InvalidValueError
from ..models.base import TunedModel
from .inferencer import Inferencer
from .inputs import Inputs
from .model_files import is_checkpoint
from .models import get_model
from .prediction import batches, evaluating
from .scenes import ScenePreparation


def extract_features(
    model: str | Path | BaseModel | Inferencer,
    inputs: Inputs,
    *,
    pool: Sequence[str] = ('max', 'mean'),
    batch_size: int | None = None,
    device: str | None = None,
    normalize: str | None = None,
) -> Tensor:
    """What a backbone, as it is tuned, makes of clouds, which are prepared as for :class:`Inferencer`.

    Args:
        model (str | Path | BaseModel | Inferencer): An inferencer, a checkpoint, a model, or the name of a config,
            which gives its pre-trained backbone.
        inputs: Files, directories and arrays, as for :class:`Inferencer`.
        pool (Sequence[str]): How the tokens become one vector, the parts side by side: ``max`` and ``mean`` over the
            tokens of the patches, ``cls`` for the class token, and others of ``heads.pooling``.
        batch_size (int | None): Clouds at a time; changes no result.
        device (str | None): As of :class:`Inferencer`.
        normalize (str | None): As of :class:`Inferencer`.

    Returns:
        Tensor: (clouds, C) float32 on the CPU, in the order of the inputs.

    Raises:
        PointPEFTError: A cloud cannot be used, since a row for each is promised; names it. Or the model is for rooms.

    Examples:
        >>> extract_features('full/pointmae_mini_shapes', torch.rand(5, 1024, 3)).shape
        torch.Size([5, 384])
    """
    if isinstance(model, (str, Path)) and not is_checkpoint(model):
        model = get_model(model)
    if isinstance(model, Inferencer) and (device is not None or normalize is not None):
        raise InvalidValueError('an inferencer has its device and normalisation; leave them out.')
    inferencer = (
        model if isinstance(model, Inferencer) else Inferencer(model, device=device, normalize=normalize)
    )
    network = inferencer.model
    if not isinstance(network, TunedModel) or isinstance(inferencer.preparation, ScenePreparation):
        raise InvalidValueError(
            f'{type(network).__name__} is for rooms; features are those of single objects.'
        )
    answers = inferencer.read(inputs)
    for answer in answers:
        if answer.problem is not None:
            raise answer.problem
    prepare, backbone = (cast(nn.Module, part) for part in (network.data_preprocessor, network.backbone))
    rows = []
    with evaluating(network), torch.no_grad():
        for group in batches(answers, inferencer.checked_batch_size(batch_size)):
            points = [answer.points for answer in group]
            batch = prepare({'inputs': {'points': points}}, False)['inputs']['points']
            rows.append(pool_tokens(backbone(batch), pool).float().cpu())
    return torch.cat(rows)
