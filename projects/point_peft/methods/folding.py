"""Folding: tuning methods that are changes of weights become part of the backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from .frozen_storage import storage_of
from .weight_change import Affine, changed_weights, set_weights

if TYPE_CHECKING:
    from torch import nn

    from .base import TuningMethod
    from .peft_backbone import PEFTBackbone


class FoldingError(InvalidValueError):
    """Tuning methods cannot be folded into the weights of a backbone."""


def fold_methods(wrapper: PEFTBackbone) -> PointBackbone:
    """Put all that the methods do into the weights of the backbone; nothing is changed if that is refused.

    Raises:
        FoldingError: If it has been done before, a method is no change of weights, a weight would not be finite, or
            the weights are stored rounded.
    """
    refuse_folded(wrapper)
    if storage_of(wrapper.backbone) is not None:
        raise FoldingError(
            "the backbone's frozen weights are stored in bfloat16, in which most of what the methods change would be "
            'rounded away; build the model without frozen_dtype of PEFTBackbone and load the adapter.'
        )
    reasons = {type(method).__name__: reason_against(method) for method in wrapper.methods}
    named = '; '.join(f'{name}: {reason}' for name, reason in reasons.items() if reason)
    if named:
        raise FoldingError(
            f"the methods cannot be folded into the backbone's weights ({named}); use the tuned backbone as it is."
        )
    wrapper.attach()  # so that the parameters have their tuned values
    backbone = wrapper.backbone
    new = changed_weights(change for method in wrapper.methods for change in method.weight_changes(backbone))
    _check_finite(wrapper, new)
    for layer, weights in new.items():
        set_weights(layer, weights)
    wrapper.forget_methods()
    backbone.pretrained_names, backbone.checkpoint = [], None  # these weights are from no file
    return backbone


def reason_against(method: TuningMethod) -> str:
    """Why a method cannot be folded; empty if it can.

    A class must say itself that it can, since it may do more than its base.
    """
    if method.unfoldable or 'unfoldable' in vars(type(method)):
        return method.unfoldable
    return 'it does not say that it can be'


def refuse_folded(wrapper: PEFTBackbone) -> None:
    """Refuse what needs the pre-trained weights, where they are gone.

    Raises:
        FoldingError: If the methods have been folded.
    """
    if wrapper.is_folded:
        raise FoldingError(
            'the tuning methods have been folded into the weights of this backbone, so they cannot be taken off or '
            'folded again; build the model anew and load the adapter.'
        )


def _check_finite(wrapper: PEFTBackbone, new: dict[nn.Module, Affine]) -> None:
    """Refuse weights that are not finite."""
    backbone = wrapper.backbone
    wrong = [name for name in wrapper.tuned_names if not torch.isfinite(backbone.get_parameter(name)).all()]
    for name, module in backbone.named_modules():
        weights = new.get(module)
        if weights is not None and not all(
            tensor is None or bool(torch.isfinite(tensor).all()) for tensor in (weights.weight, weights.bias)
        ):
            wrong.append(name)
    if wrong:
        raise FoldingError(
            f'folding would put NaN or infinite weights into {wrong[0]} (and {len(wrong) - 1} more places); the '
            'training went wrong, so load an earlier checkpoint.'
        )
