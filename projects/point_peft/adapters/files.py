"""Adapters in folders: a config for people and for building, the tensors, and what was fitted before training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..engine.checkpoint import adapter_state, complete_state, describe_checkpoint, log_report
from ..engine.fitting import expected_provenance, find_fitted, save_fitted
from ..engine.fitting.find import file_name
from ..io.atomic import write_atomically
from ..io.errors import BaseWeightsMismatchError, CheckpointError, OtherClassesError
from ..io.text import printable
from ..io.weights import OWN_KEY, check_finite, from_plain, load_checkpoint_file, save_checkpoint
from ..methods import FittedMethod, fitted_methods
from ..registry.wrappers import unwrap
from ..version import __version__
from .adapter import DEFAULT, Adapter
from .card import write_card
from .collection import Adapters
from .errors import AdapterError
from .folder import CONFIG, TENSORS, find_files, saved_recipe, saved_sites
from .making import adapters_for, adapters_of, keep

NAMES = ('classes', 'parts', 'class_parts')


def save_adapter(
    model: nn.Module,
    folder: str | Path,
    name: str | None = None,
    *,
    classes: Sequence[str] | None = None,
) -> Path:
    """Write an adapter to a folder.

    ``adapter.safetensors`` is an adapter checkpoint like those of a training, so ``init_model`` and the tools read it
    too. What methods fitted before training has files beside it. ``README.md`` is a model card, see
    :func:`~.card.write_card`.

    Args:
        model (nn.Module): A model with adapters.
        folder (str | Path): Made if it does not exist; files of these names in it are replaced.
        name (str | None): Which adapter; None means the one that acts.
        classes (Sequence[str] | None): Names of the classes in the order of the labels; None means those that the
            adapter was loaded with, if any.

    Returns:
        Path: The folder.

    Raises:
        AdapterError: There is no such adapter, or its head has another number of classes.
        NonFiniteWeightsError: A tensor has a NaN.
    """
    adapters = adapters_of(model)
    adapters.refuse_disabled()
    adapter, folder, before = adapters.get(name), Path(folder).expanduser(), adapters.active or ''
    names = adapter.dataset_meta if classes is None else dict(classes=list(classes))
    _check_classes(adapter, names, 'save_adapter')
    name = name or before
    adapters.switch(name)
    try:
        state = adapter_state(adapters.model)
        check_finite(state, f'adapter {name!r}', None)
        own = describe_checkpoint(adapters.model, 'delta')
        meta = {OWN_KEY: own, **(dict(dataset_meta=_plain(names)) if names else {})}
        for method in fitted_methods(adapter.wrapper).values():
            if method.is_fitted:
                _note_origin(adapters.model, method)
                save_fitted(folder / file_name(method), method)
        save_checkpoint(folder / TENSORS, state, _plain(meta))
        config = _config_file(adapters, adapter, name, own.get('base_hash'), names)
        write_atomically(folder / CONFIG, (json.dumps(_plain(config), indent=2) + '\n').encode())
        write_card(folder, _plain(config))
    finally:
        adapters.switch(before)
    adapter.dataset_meta = dict(names)
    return folder


def load_adapter(
    model: nn.Module, path: str | Path, name: str = DEFAULT, *, allow_other_base: bool = False
) -> nn.Module:
    """Load an adapter beside those that a model has; it acts from now on. Nothing in the files is run.

    Args:
        model (nn.Module): As for :func:`~.making.get_peft_model`, with the base weights of the adapter.
        path (str | Path): A folder of :func:`save_adapter`, or an adapter checkpoint of a training (``epoch_N.pth``),
            or the address of one, such as ``hf://OWNER/REPO`` (:mod:`~point_peft.io.addresses`).
        name (str): What the adapter is called.
        allow_other_base (bool): Only warn when it was trained on other base weights.

    Returns:
        nn.Module: The model, changed in place; for a bare backbone, a :class:`~.model_place.TunedEncoder` around it.

    Raises:
        BaseWeightsMismatchError: The adapter belongs to other base weights.
        OtherNetworkError: Or to another network.
        OtherClassesError: The names of its classes are not as many as its outputs.
        PointPEFTError: Else a file is missing, damaged, unsafe or not finite, or the name is taken.
    """
    file, folder, config = find_files(path)
    content = load_checkpoint_file(file)
    meta = from_plain(content.get('meta') or {})
    if (meta.get(OWN_KEY) or {}).get('format') != 'delta':
        raise CheckpointError(
            f'{printable(file)} is no adapter but a complete model, so it shares no backbone; load it with init_model.'
        )
    sites, kept = saved_sites(config, file)
    model, adapters = adapters_for(model, sites, kept)
    methods, head = saved_recipe(adapters, config, meta, file)
    with adapters.adding(name, methods, head or {}) as adapter:
        _fill(adapters, content['state_dict'], meta, file, allow_other_base)
        adapter.dataset_meta = dict(meta.get('dataset_meta') or {})
        _check_classes(adapter, adapter.dataset_meta, printable(file))
        if fitted_methods(adapter.wrapper):
            find_fitted(adapters.model, [folder], meta, str(file))
            _share_states(adapters, adapter)
        keep(model, adapters)
    return model


def _fill(
    adapters: Adapters, state: Mapping[str, Any], meta: Mapping[str, Any], file: Path, allow_other_base: bool
) -> None:
    """Give the adapter that acts its tensors, if they are all there and of this network."""
    model, source = adapters.model, str(file)
    wrapper = adapters.get().wrapper
    complete, report = complete_state(model, state, meta, source=source, allow_other_base=allow_other_base)
    tuned = set(wrapper.tuned_names)
    base = {key for key, of in adapters.place.names_of_base(wrapper).items() if of not in tuned}
    foreign = sorted(base & set(report.loaded))
    if foreign:
        raise BaseWeightsMismatchError(
            f'{printable(source)} has weights of the backbone itself ({foreign[0]}), as it was trained without a '
            'pre-trained file, so it cannot share a backbone; load it with init_model.'
        )
    unwrap(model).load_state_dict({key: complete[key] for key in report.loaded}, strict=False)
    log_report(report)


def _check_classes(adapter: Adapter, names: Mapping[str, Any], source: str) -> None:
    """Refuse names of classes that are not as many as the outputs of the adapter's head."""
    classes = names.get('classes')
    for module in adapter.modules.values():
        count = getattr(module, 'num_classes', None)
        if classes is not None and isinstance(count, int) and len(classes) != count:
            raise OtherClassesError(
                f'{source}: {len(classes)} names of classes for a head with {count} outputs; give one for each.'
            )


def _share_states(adapters: Adapters, adapter: Adapter) -> None:
    """Keep what several adapters have been fitted to alike only once."""
    others = [
        method
        for other in adapters.known.values()
        if other is not adapter
        for method in fitted_methods(other.wrapper).values()
    ]
    for method in fitted_methods(adapter.wrapper).values():
        any(method.share_state(other) for other in others)


def _note_origin(model: nn.Module, method: FittedMethod) -> None:
    """Say what a state was fitted on, as far as it is known of one that came with a complete checkpoint."""
    if method.fitted_on is None:
        rows = max(len(value) for value in method.external_state().values())
        known = expected_provenance(model, method)
        method.fitted_on = dict(**known, dataset='', split='', num_samples=rows)


def _config_file(
    adapters: Adapters, adapter: Adapter, name: str, base_hash: Any, names: Mapping[str, Any]
) -> dict[str, Any]:
    """Content of the JSON file."""
    place = adapters.place
    plain = place.config(None, adapter.methods, {}) or {}
    head = (place.parts_of(adapter.config) if adapter.config else (None, None))[1]
    return dict(
        format='point_peft adapter',
        version=__version__,
        name=name,
        base_hash=base_hash,
        **place.types,
        methods=adapter.methods,
        head=head,
        **{key: plain[key] for key in ('sites', 'modules_to_save') if key in plain},
        **{key: names[key] for key in NAMES if names.get(key)},
        trainable_parameters=sum(p.numel() for p in adapters.model.parameters() if p.requires_grad),
    )


def _plain(value: Any) -> Any:
    """A config as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, Tensor) or not isinstance(value, (str, bool, int, float, type(None))):
        raise AdapterError(f'a config has {value!r:.60}, which no file of text can hold; give plain values.')
    return value
