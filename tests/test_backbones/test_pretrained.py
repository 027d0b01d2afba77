"""Loading pre-trained weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_models import small_config_of
from torch import Tensor, nn

from point_peft.backbones.pretrained import load_pretrained
from point_peft.io.errors import (
    MissingFileError,
    OtherNetworkError,
    UnmatchedCheckpointError,
    UnsafeCheckpointError,
)
from point_peft.io.weights import OWN_KEY, save_checkpoint
from point_peft.io.weights.names import strip_prefix, unwrap_state_dict
from point_peft.registry import MODELS


def network() -> nn.Sequential:
    """Four tensors named 0.weight, 0.bias, 1.weight, 1.bias, all at zero."""
    net = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    return net


def ones() -> dict[str, Tensor]:
    """Tensors of :func:`network`, all at one."""
    return {name: torch.ones_like(value) for name, value in network().state_dict().items()}


@pytest.mark.parametrize('wrapper', [None, 'base_model', 'model', 'state_dict'])
@pytest.mark.parametrize('prefix', ['', 'module.', 'module.MAE_encoder.', 'backbone.', 'backbone.backbone.'])
def test_layouts(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    """Published and own layouts; what does not belong to the network is left."""
    state = {f'{prefix}{name}': value for name, value in ones().items()} | {'head.weight': torch.ones(3)}
    torch.save(state if wrapper is None else {wrapper: state, 'epoch': 3}, tmp_path / 'file.pth')
    net = network()
    names = load_pretrained(net, tmp_path / 'file.pth', prefixes=['MAE_encoder.'])
    assert sorted(names) == sorted(ones())
    assert all(parameter.eq(1).all() for parameter in net.parameters())


def test_best_prefix_wins(tmp_path: Path) -> None:
    """A file with a stray tensor under one prefix and the network under another gives the network."""
    state = {'0.bias': torch.full((2,), 5.0)} | {f'backbone.{name}': value for name, value in ones().items()}
    torch.save(state, tmp_path / 'file.pth')
    net = network()
    assert len(load_pretrained(net, tmp_path / 'file.pth')) == 4
    assert net[0].bias.eq(1).all()


def test_partial_match_is_refused(tmp_path: Path) -> None:
    """A tensor that is missing or of another shape is named, and nothing is loaded."""
    net = network()
    save_file(ones() | {'0.weight': torch.ones(2, 4)}, tmp_path / 'wide.safetensors')
    with pytest.raises(
        UnmatchedCheckpointError,
        match=r'fits Sequential only in part: 0.weight of another shape \(\(2, 4\) in the file, \(2, 3\) in',
    ):
        load_pretrained(net, tmp_path / 'wide.safetensors', optional=['0'])
    save_file(
        {name: value for name, value in ones().items() if name[0] == '0'}, tmp_path / 'half.safetensors'
    )
    with pytest.raises(
        UnmatchedCheckpointError, match=r'only in part: it lacks 1.weight, 1.bias, which would stay'
    ):
        load_pretrained(net, tmp_path / 'half.safetensors')
    assert all(parameter.eq(0).all() for parameter in net.parameters())


def test_what_a_file_may_lack(tmp_path: Path, log: list) -> None:
    """What is new in fine-tuning, and counters of batch norms, keep their values; the log counts and names them."""
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    state = {name: torch.ones_like(value) for name, value in net.state_dict().items()}
    del state['1.num_batches_tracked'], state['1.bias']
    save_file(state | {'head.weight': torch.ones(3)}, tmp_path / 'file.safetensors')
    assert len(load_pretrained(net, tmp_path / 'file.safetensors', optional=[r'1\.bias'])) == 5
    (message,) = [text for _, text in log]
    assert 'loaded 5 of 7 tensors of Sequential' in message
    assert (
        "1 unused in the file; kept at their initial values: ['1.bias', '1.num_batches_tracked']" in message
    )
    with pytest.raises(UnmatchedCheckpointError, match=r'it lacks 1\.bias, which'):
        load_pretrained(net, tmp_path / 'file.safetensors')


def test_nothing_fits(tmp_path: Path) -> None:
    """Zero matches is an error that names the file and the converter."""
    torch.save({'base_model': {'encoder.weight': torch.ones(2, 3)}}, tmp_path / 'other.pth')
    with pytest.raises(
        UnmatchedCheckpointError, match=r'no tensor of .*other\.pth fits Sequential.*convert_official\.py'
    ):
        load_pretrained(network(), tmp_path / 'other.pth')


def test_other_attention_heads_are_refused(tmp_path: Path) -> None:
    """They change no tensor's shape; groups may be other ones than those of the pre-training."""
    file = str(tmp_path / 'file.pth')
    trained = MODELS.build(small_config_of('PointMAE'))
    state = {f'backbone.{name}': value for name, value in trained.state_dict().items()}
    network = dict(type='PointMAEPretraining', parts=[dict(backbone=small_config_of('PointMAE'))])
    save_checkpoint(file, state, {OWN_KEY: dict(format='full', network=network)})
    init_cfg = dict(type='Pretrained', checkpoint=file)
    wanted = r'file\.pth was pre-trained with num_heads=3, but the config has 4, .*; set num_heads'
    with pytest.raises(OtherNetworkError, match=wanted):
        MODELS.build(small_config_of('PointMAE', num_heads=4, init_cfg=init_cfg)).init_weights()
    MODELS.build(small_config_of('PointMAE', num_groups=8, group_size=4, init_cfg=init_cfg)).init_weights()
    MODELS.build(small_config_of('ACT', num_heads=4, init_cfg=init_cfg)).init_weights()


def test_missing_file(tmp_path: Path) -> None:
    """The message names the file and what needs none."""
    with pytest.raises(MissingFileError, match=r'nowhere\.pth does not exist'):
        load_pretrained(network(), tmp_path / 'nowhere.pth')


def test_malicious_file(malicious: tuple[Path, Path]) -> None:
    """Code in a checkpoint is refused and not run."""
    file, trace = malicious
    with pytest.raises(UnsafeCheckpointError, match=r'malicious\.pth was not loaded'):
        load_pretrained(network(), file)
    assert not trace.exists()


def test_unwrap_by_hand() -> None:
    """One wrapper and one ``module.`` are taken off; what is no tensor is dropped."""
    one = torch.ones(1)
    assert unwrap_state_dict({'base_model': {'module.a': one}, 'model': 3}) == {'a': one}
    assert unwrap_state_dict({'a': one, 'module.module.b': one, 'epoch': 3}) == {'a': one, 'module.b': one}
    assert unwrap_state_dict({'model': one}) == {'model': one}


def test_strip_prefix_by_hand() -> None:
    """Only names under the prefix remain."""
    one = torch.ones(1)
    assert strip_prefix({'a.b': one, 'ab': one, 'b.a.': one}, 'a.') == {'b': one}
    assert strip_prefix({'a': one}, '') == {'a': one}
