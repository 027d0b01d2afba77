"""Frozen weights of the blocks kept in bfloat16, which takes half the memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones.layers import Linear
from ..io.errors import InvalidValueError
from ..io.weights import hash_tensor
from ..ops.autocast import is_autocasting
from .base import TuningMethod

ATTRIBUTE = 'frozen_storage'
"""Where a backbone keeps its :class:`FrozenStorage`, if some of its weights are stored in a precision of their own."""

DTYPES = {'bfloat16': torch.bfloat16}


class StoredLinear(nn.Linear):
    """A linear layer whose weight may be stored in another precision than it computes in."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return F.linear(x, _weight_for(x, self.weight), self.bias)


class StoredConv1d(nn.Conv1d):
    """A convolution of the same kind."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, L) to (B, out, L')."""
        return self._conv_forward(x, _weight_for(x, self.weight), self.bias)


STORED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: StoredLinear,
    Linear: StoredLinear,
    nn.Conv1d: StoredConv1d,
}
"""What stands for which layer: the products whose operands autocast rounds."""


class FrozenStorage:
    """Which weights of a backbone are stored in a precision of their own, and which values they were rounded from.

    Attributes:
        dtype (torch.dtype): Of the stored weights.
        names (list[str]): The weights, by their names in the backbone.
        exact (dict[str, str]): Hashes of what they were rounded from, as a model without rounding holds it.
    """

    def __init__(self, dtype: torch.dtype, names: Iterable[str]) -> None:
        self.dtype, self.names = dtype, list(names)
        self.exact: dict[str, str] = {}
        self._rounded: dict[str, str] = {}  # hashes of what they were rounded to

    def widen(self, backbone: nn.Module) -> None:
        """Give the weights room for all bits of what is loaded."""
        for name in self.names:
            parameter = backbone.get_parameter(name)
            parameter.data = parameter.data.float()

    @torch.no_grad()
    def round(self, backbone: nn.Module) -> None:
        """Round the weights, and note the hash of what is lost.

        Values that are rounded already say nothing new if they are those that the weights have been rounded to: they
        come from a model that stores them so, such as this one, and belong to the same base.
        """
        for name in self.names:
            parameter = backbone.get_parameter(name)
            value, rounded = parameter.data, parameter.data.to(self.dtype)
            if not value.is_meta:
                found = hash_tensor(rounded)
                if found != self._rounded.get(name) or not torch.equal(rounded.to(value.dtype), value):
                    self.exact[name] = hash_tensor(value)
                self._rounded[name] = found
            parameter.data = rounded


def storage_of(backbone: object) -> FrozenStorage | None:
    """How a backbone stores its frozen weights; None if all are as they were loaded."""
    found: FrozenStorage | None = vars(backbone).get(ATTRIBUTE)
    return found


def store_frozen(backbone: Any, methods: Iterable[TuningMethod], dtype: str | None) -> None:
    """Store the frozen weights of products in the blocks in another precision, from now on and whatever is loaded.

    Only those: autocast rounds them for every product, so that nothing changes under autocast to the same precision.
    What embeds groups and positions computes in float32 under autocast too.

    Args:
        backbone (PointBackbone): Frozen but for what is tuned.
        methods (Iterable[TuningMethod]): What is going to tune it.
        dtype (str | None): ``bfloat16``; None leaves the weights as they are, which may be stored so already.

    Raises:
        ValueError: The precision is unknown, no weight is frozen, or a method needs the weights as they were.
    """
    storage = storage_of(backbone)
    if dtype is not None and dtype not in DTYPES:
        raise InvalidValueError(
            f"frozen_dtype={dtype!r} of PEFTBackbone is unknown; use 'bfloat16', or None to leave the weights as they "
            'are.'
        )
    if dtype is None and storage is None:
        return
    for method in methods:
        if method.needs_exact_weights:
            raise InvalidValueError(
                f'{type(method).__name__} cannot tune a backbone whose frozen weights are stored in bfloat16, since '
                f'{method.needs_exact_weights}; leave frozen_dtype of PEFTBackbone out.'
            )
    if storage is None:
        storage = _store(backbone, _storable(backbone), DTYPES[str(dtype)])
    trained = [name for name in storage.names if backbone.get_parameter(name).requires_grad]
    if trained:
        raise InvalidValueError(
            f'{trained[0]} is to be trained, but it is stored in bfloat16, in which small steps are lost; build the '
            'model without frozen_dtype of PEFTBackbone.'
        )


def store_alike(backbone: Any, other: object) -> None:
    """Store the weights of a plain backbone as another one of its kind stores them, so that both compute the same.

    Args:
        backbone (PointBackbone): Its weights are those that it is to compute with, rounded.
        other (PointBackbone): Where it stores none in a precision of their own, nothing is done.
    """
    storage = storage_of(other)
    if storage is not None:
        _store(backbone, storage.names, storage.dtype)


def refuse_stored(backbone: nn.Module, what: str) -> None:
    """Refuse what needs the weights as they were loaded.

    Raises:
        ValueError: They are stored in another precision.
    """
    if storage_of(backbone) is not None:
        raise InvalidValueError(
            f'{what} needs the frozen weights in float32, but they are stored in bfloat16; leave frozen_dtype of '
            'PEFTBackbone out.'
        )


def _store(backbone: Any, names: Iterable[str], dtype: torch.dtype) -> FrozenStorage:
    """Store the weights of these names in another precision, and let their layers compute with them."""
    storage = FrozenStorage(dtype, names)
    for name in storage.names:
        layer = backbone.get_submodule(name.rpartition('.')[0])
        layer.__class__ = STORED[type(layer)]  # the same tensors under the same names, with the same hooks
    vars(backbone)[ATTRIBUTE] = storage
    # Through torch's hooks, since weights come by many ways: a pre-trained file, a checkpoint of a whole model ...
    backbone._register_load_state_dict_pre_hook(_before_loading, with_module=True)
    backbone.register_load_state_dict_post_hook(_after_loading)
    storage.round(backbone)
    return storage


def _storable(backbone: Any) -> list[str]:
    """Names of the frozen weights of layers in the blocks that can compute with a stored one."""
    inside = {module for block in backbone.layers for module in block.modules()}
    names = [
        f'{path}.weight'
        for path, layer in backbone.named_modules()
        if layer in inside and type(layer) in STORED and not layer.weight.requires_grad
    ]
    if not names:
        raise InvalidValueError(
            f'frozen_dtype of PEFTBackbone has nothing to store: the blocks of {type(backbone).__name__} have no '
            'frozen weight of a linear layer or convolution; leave it out.'
        )
    return names


def _before_loading(backbone: nn.Module, *_: Any) -> None:
    storage = storage_of(backbone)
    assert storage is not None
    storage.widen(backbone)


def _after_loading(backbone: nn.Module, _: Any) -> None:
    storage = storage_of(backbone)
    assert storage is not None
    storage.round(backbone)


def _weight_for(x: Tensor, weight: Tensor) -> Tensor:
    """A weight in the precision of the input (...), unless autocast is going to bring both to its own."""
    return weight if is_autocasting(x.device.type) else weight.to(x.dtype)
