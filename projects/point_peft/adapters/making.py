"""Making adapters on a model, and what is done with those that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from ..backbones import PointBackbone
from ..engine.hooks.trainable_parameters import count_parameters, format_trainable
from ..methods import PEFTBackbone
from ..registry.wrappers import unwrap
from .adapter import DEFAULT, Adapter
from .collection import Adapters
from .errors import AdapterError
from .model_place import TunedEncoder, find_place
from .plain_module import NamedSites
from .plain_place import PlainPlace
from .recipes import Method, recipe, with_changes

ATTRIBUTE = 'adapters_of_point_peft'
"""Where a model keeps its adapters; they are no part of its state, but for the one that acts."""


def get_peft_model(
    model: nn.Module,
    method: Method,
    *,
    name: str = DEFAULT,
    head: Mapping[str, Any] | None = None,
    sites: NamedSites | None = None,
    modules_to_save: Sequence[str] = (),
    **changes: Any,
) -> nn.Module:
    """Freeze the backbone of a model and give it an adapter, which acts from now on.

    The weights that the model holds are the adapter's base. It gets a head of its own, a copy of the model's unless the
    method or ``head`` want another one. A model may get any number of adapters.

    Args:
        model (nn.Module): A task model, encoder or backbone of this project, tuned or not, or any other module.
        method: Name of a file in ``configs/_base_/methods``, such as ``lora``; or the config of a method, a list of
            them, or a section ``peft``.
        name (str): Name of the adapter.
        head (Mapping | None): Changes to the config of the head, such as ``dict(num_classes=7)``.
        sites (NamedSites | None): Where methods act in a module of another package; needed for the first adapter.
        modules_to_save (Sequence[str]): Its modules that adapters train as a whole, such as the classifier.
        **changes: Arguments of the methods, such as ``rank=4``; each goes to every method that takes it.

    Returns:
        nn.Module: The model, changed in place; for a bare backbone, a :class:`TunedEncoder` around it.

    Raises:
        PointPEFTError: The method is unknown or cannot act on the model, an argument is, or the name is taken.

    Examples:
        >>> from point_peft.apis import get_peft_model, init_model
        >>> model = init_model('full/pointmae_mini_shapes')
        >>> model = get_peft_model(model, 'lora', rank=4)
        >>> print_trainable_parameters(model)
        trainable params: 212,880 || all params: 2,095,184 || trainable%: 10.1604
    """
    model, adapters = adapters_for(model, sites, modules_to_save)
    methods, wanted = recipe(method, adapters.place.types)
    with adapters.adding(name, with_changes(methods, changes), {**wanted, **(head or {})}):
        keep(model, adapters)
    return model


def set_adapter(model: nn.Module, name: str) -> None:
    """Let an adapter act, and be trained; the backbone stays where it is.

    Raises:
        AdapterError: There is none of this name.
    """
    adapters_of(model).switch(name)


@contextmanager
def disable_adapter(model: nn.Module) -> Iterator[nn.Module]:
    """Inside the block the backbone computes as pre-trained, and the model has the head it had without adapters."""
    with adapters_of(model).disabled():
        yield model


def delete_adapter(model: nn.Module, name: str) -> None:
    """Forget an adapter that does not act.

    Raises:
        AdapterError: It acts, or there is none of this name.
    """
    adapters_of(model).delete(name)


def list_adapters(model: nn.Module) -> list[str]:
    """Names of the adapters of a model, in the order in which they came."""
    found = _known(model)
    return list(found.known) if found else []


def active_adapter(model: nn.Module) -> str | None:
    """Name of the adapter that acts; None if none does."""
    found = _known(model)
    return found.active if found else None


def adapter_info(model: nn.Module, name: str | None = None) -> Adapter:
    """What an adapter has of its own: methods, head, names of classes; None is the one that acts.

    Raises:
        AdapterError: There is none of this name.
    """
    return adapters_of(model).get(name)


def merge_and_unload(model: nn.Module) -> nn.Module:
    """Fold the adapter into the weights of the backbone, for good, and leave a plain model; its head stays.

    Raises:
        AdapterError: There are other adapters, which need the pre-trained weights.
        FoldingError: A method cannot be folded, or a weight would not be finite.
    """
    adapters = adapters_of(model)
    adapters.get()
    others = [name for name in adapters.known if name != adapters.active]
    if others:
        raise AdapterError(
            f'adapter {adapters.active!r} cannot be merged while {others[0]!r} needs the pre-trained weights; delete '
            'that first, or load this one into a model of its own.'
        )
    adapters.merge()
    delattr(unwrap(model), ATTRIBUTE)
    return model


def print_trainable_parameters(model: nn.Module) -> None:
    """Print how many parameters are trained, of all that the model has with the adapter that acts."""
    print(format_trainable(*count_parameters(model)))


def adapters_of(model: nn.Module) -> Adapters:
    """The adapters of a model, among them the tuning that it was built with.

    Raises:
        AdapterError: It has none.
    """
    found = _known(model)
    if found is None and any(isinstance(module, PEFTBackbone) for module in model.modules()):
        model, found = adapters_for(model)
        keep(model, found)
    if found is None or not found.known:
        raise AdapterError(
            f'{type(model).__name__} has no adapters; make one with get_peft_model or load one with load_adapter.'
        )
    return found


def adapters_for(
    model: nn.Module, sites: NamedSites | None = None, modules_to_save: Sequence[str] = ()
) -> tuple[nn.Module, Adapters]:
    """A model that can take adapters, and those that it has; arguments as of :func:`get_peft_model`.

    Raises:
        AdapterError: Nothing says where methods could act.
    """
    model = unwrap(model)
    found = _known(model)
    if found is not None:
        return model, found
    if isinstance(model, (PointBackbone, PEFTBackbone)):
        model = TunedEncoder(model).train(model.training)
    place = find_place(model)
    if place is not None and sites is None and not modules_to_save:
        return model, Adapters(place)
    if place is not None:
        raise AdapterError(
            f'{type(model).__name__} has a backbone of this project, which knows its sites and trains its own head; '
            'leave sites and modules_to_save out.'
        )
    if sites is None:
        raise AdapterError(
            f'{type(model).__name__} has no backbone of this project; say where its blocks are with '
            "sites=NamedSites(blocks='...')."
        )
    return model, Adapters(PlainPlace(model, sites, modules_to_save))


def keep(model: nn.Module, adapters: Adapters) -> None:
    """Let a model remember its adapters."""
    model.__dict__[ATTRIBUTE] = adapters


def _known(model: nn.Module) -> Adapters | None:
    return vars(unwrap(model)).get(ATTRIBUTE)
