"""The released Point-PEFT; its numbers are tested in test_parity."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import golden_inputs
import pytest
import torch
from mmengine.registry import init_default_scope
from small_models import clouds

import point_peft
from point_peft.engine.config import load_config
from point_peft.models import PointClassifier
from point_peft.registry import MODELS
from point_peft.release import ReleaseBankHook, ReleasePointPEFT
from point_peft.structures import PointDataSample

PUBLISHED_RULE = (
    'attn_free_linear',
    'cp',
    'adapter1',
    'norm3',
    'attn1.',
    'out_transform',
    '.adapter.',
    'proj.bias',
    'fc2.bias',
    'fc1.bias',
    'norm2.bias',
    'norm1.bias',
    'prompt_cor',
    'cache_gate',
    'cls_pos',
    'cls_token',
    'cls_head_',
    'norm.',
    '.gate',
    'ad_gate',
    'prompt_embedding',
)
"""Parts of names that the release trains."""


@pytest.fixture(scope='module')
def model() -> ReleasePointPEFT:
    """The release on small clouds, with an empty bank."""
    torch.manual_seed(0)
    return ReleasePointPEFT(num_groups=70, group_size=8).eval()


def test_official_names_and_shapes() -> None:
    """The published model, its prior and its bank; nothing else."""
    published = golden_inputs.description('pointpeft_mae')
    expected = {name: shape for name, shape in published['state0'] if not name.startswith('cls_head_')}
    prior = {name: shape for name, shape in published['state1'] if name.startswith('MAE_encoder.')}
    expected |= {name.replace('MAE_encoder.', 'prior.'): shape for name, shape in prior.items()}
    with torch.device('meta'):
        state = ReleasePointPEFT().state_dict()
    ours = {name: list(value.shape) for name, value in state.items()}
    assert ours.pop('memory_bank') == [384, 0]
    assert ours == expected


def test_trained_by_the_published_rule() -> None:
    """The parameters that name themselves are those that the published substrings select: 773 017."""
    with torch.device('meta'):
        model = PointClassifier(dict(type='ReleasePointPEFT'), dict(type='PointClsHead', num_classes=15))
    by_rule = set()
    for name, _ in model.named_parameters():
        published = 'module.' + name.removeprefix('backbone.').removeprefix('head.')
        if not name.startswith('backbone.prior.') and any(part in published for part in PUBLISHED_RULE):
            by_rule.add(name)
    assert by_rule == {name for name, p in model.named_parameters() if p.requires_grad}
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 773_017
    own = sum(p.numel() for name, p in model.named_parameters() if not name.startswith('backbone.prior.'))
    assert own == 22_560_409


def test_empty_bank(model: ReleasePointPEFT, log: list) -> None:
    """Runs, with one warning; hidden tokens are those before the final norm."""
    model.warned_empty = False
    with torch.no_grad():
        features = model(clouds(2, 80), hidden_layers=[3, 11])
        again = model(clouds(2, 80))
    assert features.patches.shape == (2, 70, 384) and features.prefix.shape == (2, 1, 384)
    assert torch.equal(features.patches, again.patches) and sorted(features.hidden) == [3, 11]
    torch.testing.assert_close(model.norm(features.hidden[11]), features.patches)
    assert log.at('WARNING') == ['the memory bank is empty: prompts are not enhanced.']


def test_bank_of_any_size(model: ReleasePointPEFT) -> None:
    """A state with a bank of another number of columns loads; one of another dimension does not."""
    for columns in (12, 30):
        bank = golden_inputs.memory_bank(columns)
        model.load_state_dict({'memory_bank': bank}, strict=False)
        assert torch.equal(model.memory_bank, bank)
    rows = model.query_bank(clouds(2, 80))
    assert rows.shape == (2, 10, 384) and not rows.requires_grad
    with pytest.raises(RuntimeError, match='size mismatch for memory_bank'):
        model.load_state_dict({'memory_bank': torch.zeros(256, 30)}, strict=False)
    model.load_state_dict({'memory_bank': bank[:, :0]}, strict=False)


def test_training_mode(model: ReleasePointPEFT) -> None:
    """As released, the frozen patch embedding's statistics move in training; the prior stays in eval mode."""
    model.train()
    assert not any(module.training for module in model.prior.modules())
    before = model.encoder.first_conv[1].running_mean.clone()
    features = model(clouds(2, 80))
    assert (model.encoder.first_conv[1].running_mean - before).abs().max() > 1e-4
    features.prefix.sum().backward()
    assert all(p.grad is None for p in model.prior.parameters())
    model.eval().zero_grad(set_to_none=True)


def test_too_few_groups() -> None:
    """The release needs as many groups as it has regions."""
    with pytest.raises(ValueError, match='num_groups=32, but the release has num_regions=64'):
        ReleasePointPEFT(num_groups=32, group_size=8)(clouds(1, 80))


def test_isolation() -> None:
    """No other part of the package imports the release when it is imported itself."""
    package = Path(point_peft.__file__).parent
    found = []
    for file in package.rglob('*.py'):
        if file.parent.name != 'release':
            lines = file.read_text().splitlines()
            imports = [line for line in lines if line.startswith(('from', 'import')) and 'release' in line]
            found += [f'{file}: {line}' for line in imports]
    assert found == []


def test_starts_from_the_mini_weights() -> None:
    """The network and its prior start from the same weights; the bank has a unit column for every training cloud."""
    cfg = load_config('configs/point_peft/release/pointmae_mini_modelnet10.py')
    init_default_scope('point_peft')
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    model.init_weights()
    own, prior = model.backbone.state_dict(), model.backbone.prior.state_dict()
    assert all(torch.equal(own[name], value) for name, value in prior.items())
    dataset = [dict(inputs=dict(points=cloud), data_samples=PointDataSample()) for cloud in clouds(11, 300)]
    runner = SimpleNamespace(model=model, train_dataloader=SimpleNamespace(dataset=dataset))
    ReleaseBankHook().before_train(runner)
    bank = model.backbone.memory_bank
    assert bank.shape == (192, 11)
    torch.testing.assert_close(bank.norm(dim=0), torch.ones(11))
    with torch.no_grad():
        found = model.backbone.query_bank(clouds(11, 300))  # (11, 10, 192)
    torch.testing.assert_close(found[:, 2], bank.T)  # each cloud finds itself first
