"""An adapter on the network that it was trained in, and on others whose tensors have the same shapes."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from small_models import clouds, fit, fitted_of, logits, small_config, train, write_pretrained

from point_peft.apis import init_model
from point_peft.backbones import PointMAE
from point_peft.engine.checkpoint import (
    adapter_state,
    base_fingerprint,
    describe_checkpoint,
    full_state,
    load_weights,
)
from point_peft.engine.fitting import save_fitted
from point_peft.io.config_text import read_section
from point_peft.io.errors import (
    BaseWeightsMismatchError,
    NonFiniteWeightsError,
    OtherNetworkError,
    UnmatchedCheckpointError,
)
from point_peft.io.weights import OWN_KEY, save_checkpoint
from point_peft.procedural import ProceduralShapes
from point_peft.registry import MODELS
from point_peft.registry.network import describe_network, first_difference


class Training:
    """An adapter, the same with its base weights, and the config that they belong to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.adapter = folder, folder / 'adapter.pth'
        self.cfg = small_config(folder, checkpoint=write_pretrained(folder / 'pretrain.pth'))
        init_default_scope('point_peft')
        model = MODELS.build({**self.cfg.model, 'data_preprocessor': self.cfg.data_preprocessor})
        model.init_weights()
        base_fingerprint(model)
        fit(model, ProceduralShapes(num_samples=16, num_points=64))
        save_fitted(folder / 'memory_bank.safetensors', fitted_of(model))
        train(model, steps=1)
        self.model = model
        self.state, self.noted = adapter_state(model), describe_checkpoint(model, 'delta')
        save_checkpoint(self.adapter, self.state, {OWN_KEY: self.noted})
        save_checkpoint(
            folder / 'full.safetensors', full_state(model), {OWN_KEY: describe_checkpoint(model, 'full')}
        )

    def changed(self, **changes: Any) -> Config:
        """The config with other values, by their place in the model."""
        cfg = deepcopy(self.cfg)
        cfg.merge_from_dict(
            {f'model.{place}': value for place, value in changes.items()}, allow_list_keys=True
        )
        return cfg


@pytest.fixture(scope='module')
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    torch.manual_seed(0)
    return Training(tmp_path_factory.mktemp('training'))


OTHERS = {
    'backbone.group_size': (4, r'model\.backbone\.group_size is 8 in it but 4 in the config'),
    'backbone.num_groups': (8, r'model\.backbone\.num_groups is 16 in it but 8'),
    'backbone.num_heads': (4, r'model\.backbone\.num_heads is 3 in it but 4'),
    'peft.methods.0.temperature': (0.5, r'methods\[0\]\.temperature is 1\.0 in it but 0\.5'),
    'peft.methods.0.num_prior_groups': (4, r'methods\[0\]\.num_prior_groups is 8 in it but 4'),
    'peft.methods.1.scale': (0.1, r'methods\[1\]\.scale is 0\.7 in it but 0\.1'),
    'peft.methods.2.num_heads': (3, r'methods\[2\]\.num_heads is 6 in it but 3'),
    'peft.methods.2.center_ratio': (0.25, r'methods\[2\]\.center_ratio is 0\.5 in it but 0\.25'),
    'head.pool': (('mean', 'max'), r"model\.head\.pool\[0\] is 'max' in it but 'mean'"),
}
"""What changes the function but no shape."""


@pytest.mark.parametrize('file', ['adapter.pth', 'full.safetensors'])
@pytest.mark.parametrize('place', OTHERS)
def test_another_network_is_refused(training: Training, place: str, file: str) -> None:
    """The message has the file, the first key that differs, both values and the way to allow it."""
    value, message = OTHERS[place]
    with pytest.raises(
        OtherNetworkError, match=rf'{file} was saved by another network: .*{message}.*allow_other_network'
    ):
        init_model(training.changed(**{place: value}), training.folder / file)


def test_swapped_methods_are_refused(training: Training) -> None:
    """Even two methods without tensors of different shapes."""
    cfg = deepcopy(training.cfg)
    cfg.model.peft.methods = [cfg.model.peft.methods[i] for i in (0, 2, 1, 3)]
    with pytest.raises(
        UnmatchedCheckpointError, match="'BottleneckAdapter' in it but 'GeometryAwareAdapter'|lacks|another"
    ):
        init_model(cfg, training.adapter)


def test_other_base_weights_because_of_the_network(training: Training) -> None:
    """A method that unfreezes others leaves other base weights; the sentence ends with what the config says."""
    cfg = training.changed(**{'peft.methods.3.biases': False})
    with pytest.raises(
        BaseWeightsMismatchError,
        match=r'model\.peft\.methods\[3\]\.biases is True in it but False in the config',
    ):
        init_model(cfg, training.adapter)


@pytest.mark.parametrize(
    'changes',
    [
        {'backbone.drop_path_rate': 0.5, 'head.dropout': 0.9},
        {'peft.methods.1.dropout': 0.9, 'peft.methods.2.drop_path': 0.7},
        {'head.label_smoothing': 0.3},
        {'peft.methods.2.num_heads': 6, 'backbone.class_token': True},  # as by default
        {'backbone.type': PointMAE},
        {'peft.type': 'point_peft.PEFTBackbone'},
    ],
)
def test_what_matters_in_training_only_may_differ(training: Training, changes: dict[str, Any]) -> None:
    model = init_model(training.changed(**changes), training.adapter)
    assert torch.equal(logits(model, clouds()), logits(training.model, clouds()))


def test_it_may_be_meant(training: Training, log: Any) -> None:
    cfg = training.changed(**{'peft.methods.1.scale': 0.1})
    cfg.default_hooks.delta.allow_other_network = True
    init_model(cfg, training.adapter)
    (warning,) = log.at('WARNING')
    assert 'loading all the same' in warning and 'scale is 0.7 in it but 0.1' in warning


@pytest.mark.parametrize('which', ['backbone.methods.1', 'head.', 'backbone.pretrained_cls_token'])
def test_missing_tensors(training: Training, tmp_path: Path, which: str) -> None:
    """An adapter that lacks some of its tensors is not completed with random ones."""
    state = {name: value for name, value in training.state.items() if not name.startswith(which)}
    save_checkpoint(tmp_path / 'a.pth', state, {OWN_KEY: training.noted})
    with pytest.raises(UnmatchedCheckpointError, match=rf'a\.pth lacks {which}.*stay at random values'):
        load_weights(MODELS.build(training.cfg.model), tmp_path / 'a.pth')


def test_unexpected_tensors(training: Training, tmp_path: Path) -> None:
    """Nor is a part of one loaded. What only training reads does not count."""
    for extra in ('backbone.methods.4.lora.a', 'auxiliary_head.norm.weight'):
        save_checkpoint(
            tmp_path / 'a.pth', {**training.state, extra: torch.ones(2)}, {OWN_KEY: training.noted}
        )
        model = MODELS.build(training.cfg.model)
        if extra.startswith('auxiliary'):
            assert load_weights(model, tmp_path / 'a.pth').unexpected == (extra,)
            continue
        with pytest.raises(
            UnmatchedCheckpointError, match=r'a\.pth has backbone\.methods\.4\.lora\.a, which the model'
        ):
            load_weights(model, tmp_path / 'a.pth')


def test_older_files_are_compared_by_the_text_of_their_config(
    training: Training, tmp_path: Path, log: Any
) -> None:
    noted = {key: value for key, value in training.noted.items() if key != 'network'}
    save_checkpoint(tmp_path / 'old.pth', training.state, {OWN_KEY: noted, 'cfg': training.cfg.pretty_text})
    load_weights(MODELS.build(training.cfg.model), tmp_path / 'old.pth')
    with pytest.raises(
        OtherNetworkError, match=r'old\.pth was saved by another network: model\.backbone\.num_heads'
    ):
        load_weights(MODELS.build(training.changed(**{'backbone.num_heads': 4}).model), tmp_path / 'old.pth')
    save_checkpoint(tmp_path / 'older.pth', training.state, {OWN_KEY: noted})
    log.clear()
    load_weights(MODELS.build(training.changed(**{'backbone.num_heads': 4}).model), tmp_path / 'older.pth')
    assert any('older.pth does not say of which network it is' in line for line in log.at('INFO'))


def test_the_text_of_a_config_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / 'trace'
    text = f"model = dict(type=__import__('pathlib').Path({str(trace)!r}).touch())\nother = dict(a=[1, (2.0, -3)])"
    assert read_section(text, 'model') is None and not trace.exists()
    assert read_section(text, 'other') == dict(a=[1, (2.0, -3)])
    for odd in ('model = (', 'model = dict(**other)', '[' * 9999, 'model: dict = 3', '\0'):
        assert read_section(odd, 'model') is None


def test_difference_by_hand() -> None:
    one = dict(type='A', parts=[dict(type='B', x=1), dict(type='C')], y=2)
    assert first_difference(one, deepcopy(one)) is None
    other = dict(type='A', parts=[dict(type='B', x=2), dict(type='D')], y=3)
    assert first_difference(one, other)[:] == ('model.parts[0].x', 1, 2)
    assert first_difference(one, dict(one, parts=[]))[:] == ('model.parts', one['parts'], [])
    assert first_difference(one, {**one, 'z': 4})[:] == ('model.z', 'nothing', 4)


def test_arguments_that_came_later_have_their_defaults() -> None:
    full = describe_network(dict(type='LoRA', rank=4))
    assert full['rank'] == 4 and 'alpha' in full and 'dropout' not in full
    older = {key: value for key, value in full.items() if key != 'alpha'}
    assert describe_network(older) == full == describe_network(full)


@pytest.mark.parametrize('number', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('kind', ['delta', 'full'])
def test_numbers_that_are_none(training: Training, tmp_path: Path, number: float, kind: str) -> None:
    """Refused by the tensor's name, in adapters and complete files."""
    state = {name: value.clone() for name, value in training.state.items()}
    state['head.cls_head_finetune.0.weight'][0, 0] = number
    noted = dict(training.noted, format=kind)
    state = state if kind == 'delta' else {**full_state(training.model), **state}
    save_checkpoint(tmp_path / 'a.pth', state, {OWN_KEY: noted})
    with pytest.raises(
        NonFiniteWeightsError, match=r'a\.pth has a NaN or an infinity in head\.cls_head_finetune\.0'
    ):
        load_weights(MODELS.build(training.cfg.model), tmp_path / 'a.pth')


def test_an_adapter_is_no_pretrained_network(training: Training) -> None:
    cfg = training.changed(**{'backbone.init_cfg.checkpoint': str(training.adapter)})
    with pytest.raises(UnmatchedCheckpointError, match=r'adapter\.pth is an adapter.*join_adapter\.py'):
        init_model(cfg)


def test_a_pretrained_file_with_a_nan(training: Training, tmp_path: Path) -> None:
    content = torch.load(training.folder / 'pretrain.pth', weights_only=True)
    content['base_model']['module.MAE_encoder.norm.weight'][3] = float('nan')
    torch.save(content, tmp_path / 'p.pth')
    with pytest.raises(NonFiniteWeightsError, match=r'p\.pth has a NaN or an infinity in norm\.weight'):
        init_model(training.changed(**{'backbone.init_cfg.checkpoint': str(tmp_path / 'p.pth')}))
