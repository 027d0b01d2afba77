"""The classification model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.registry import init_default_scope
from small_models import (
    BACKBONE,
    NUM_CLASSES,
    POINT_PEFT,
    build_classifier,
    clouds,
    fill_bank,
    logits,
    samples,
    state_of,
    train,
)
from torch import nn
from torch.nn import functional as F

from point_peft.backbones import PointMAE
from point_peft.engine.checkpoint.fitted import describe_states, external_keys
from point_peft.methods import PEFTBackbone, fitted_methods
from point_peft.models import PointClassifier, PointDataPreprocessor
from point_peft.registry import MODELS


def test_modes() -> None:
    """The three modes agree: loss and predictions follow from the raw logits."""
    model = build_classifier(POINT_PEFT)
    given = samples([0, 1, 2, 3])
    raw = logits(model, clouds())
    assert raw.shape == (4, NUM_CLASSES)
    with torch.no_grad():
        loss = model(dict(points=clouds()), given, mode='loss')
        found = model(dict(points=clouds()), given, mode='predict')
    assert set(loss) == {'loss'} and torch.equal(loss['loss'], F.cross_entropy(raw, torch.arange(4)))
    assert torch.equal(torch.stack([sample.pred_scores for sample in found]), raw.softmax(dim=1))
    assert torch.equal(torch.stack([sample.pred_label for sample in found]), raw.argmax(dim=1))


def test_unknown_mode() -> None:
    """The message names the three."""
    with pytest.raises(
        ValueError, match="mode='logits' is unknown to PointClassifier; use 'tensor', 'loss' or"
    ):
        build_classifier()(dict(points=clouds()), mode='logits')


def test_configs() -> None:
    """Without a peft the backbone is plain and everything is trained; with one it is wrapped."""
    plain, tuned = build_classifier(), build_classifier([])
    assert isinstance(plain.backbone, PointMAE) and all(p.requires_grad for p in plain.parameters())
    assert isinstance(tuned.backbone, PEFTBackbone)
    assert {name for name, p in tuned.named_parameters() if p.requires_grad} == {
        name for name, _ in tuned.named_parameters() if name.startswith('head.')
    }
    assert tuned.head.cls_head_finetune[0].in_features == 2 * BACKBONE['embed_dim']


def test_configs_are_not_changed() -> None:
    """Building twice from the same dicts works."""
    backbone, head, peft = (
        dict(BACKBONE),
        dict(type='PointClsHead', num_classes=3),
        dict(type='PEFTBackbone', methods=[]),
    )
    for _ in range(2):
        PointClassifier(backbone, head, peft=peft)
    assert backbone == BACKBONE and head == dict(type='PointClsHead', num_classes=3)
    assert peft == dict(type='PEFTBackbone', methods=[])


HEAD = dict(type='PointClsHead', num_classes=15)
GPT_HEAD = dict(HEAD, pool=('cls', 'max'), token_norm=True)
LARGE = (256, 512, 1024, 2048)


@pytest.mark.parametrize(
    ('backbone', 'head', 'auxiliary', 'expected'),
    [
        (dict(type='PointMAE'), HEAD, None, 22_093_327),
        (dict(type='PointMAE', num_groups=64), dict(HEAD, num_classes=40), None, 22_099_752),
        (dict(type='ACT'), HEAD, None, 22_093_327),
        (
            dict(type='PointBERT'),
            dict(HEAD, num_classes=40, hidden_dims=(256,), batch_norm=False),
            None,
            22_065_960,
        ),
        (dict(type='PointM2AE'), dict(HEAD, pool=('mean', 'max')), None, 12_921_935),
        (dict(type='ReCon'), HEAD, None, 43_571_215),
        (dict(type='PointGPT'), GPT_HEAD, dict(num_heads=6), 29_232_335),
        (
            dict(type='PointGPT', embed_dim=768, num_heads=12, patch_dims=LARGE),
            GPT_HEAD,
            dict(num_heads=12),
            120_461_263,
        ),
        (
            dict(type='PointGPT', embed_dim=1024, depth=24, num_heads=16, patch_dims=LARGE),
            GPT_HEAD,
            dict(num_heads=16),
            360_457_679,
        ),
    ],
    ids=['MAE', 'MAE ModelNet', 'ACT', 'BERT', 'M2AE', 'ReCon', 'GPT-S', 'GPT-B', 'GPT-L'],
)
def test_published_sizes(
    backbone: dict[str, Any], head: dict[str, Any], auxiliary: dict[str, Any] | None, expected: int
) -> None:
    """Parameters of every published model for ScanObjectNN, and of two with 40 classes."""
    auxiliary_head = None if auxiliary is None else dict(type='GenerationHead', **auxiliary)
    with torch.device('meta'):
        built = PointClassifier(backbone, head, auxiliary_head=auxiliary_head)
    assert sum(p.numel() for p in built.parameters()) == expected


def test_auxiliary_head() -> None:
    """Its loss is added in training, and it takes no part in predictions; its width is the backbone's."""
    generation = dict(type='GenerationHead', depth=1, num_heads=3, group_size=8)
    plain = build_classifier(name='PointGPT')
    model = build_classifier(name='PointGPT', auxiliary_head=generation)
    given = samples([0, 1, 2, 3])
    with torch.no_grad():
        losses = model(dict(points=clouds()), given, mode='loss')
        features = model.backbone(clouds())
        alone = plain(dict(points=clouds()), given, mode='loss')
    assert set(losses) == {'loss', 'loss_generation'} and set(alone) == {'loss'}
    assert torch.equal(losses['loss'], alone['loss'])
    assert torch.equal(losses['loss_generation'], model.auxiliary_head.loss(features)['loss_generation'])
    assert torch.equal(logits(model, clouds()), logits(plain, clouds()))
    total, logs = model.parse_losses(losses)
    torch.testing.assert_close(total, losses['loss'] + losses['loss_generation'])
    assert model.auxiliary_head.generator_blocks.ln_f.normalized_shape == (48,)
    assert 'loss_generation' in logs and plain.auxiliary_head is None


def test_memory_banks() -> None:
    """The bank is found, named, hashed and kept out of checkpoints."""
    model = build_classifier(POINT_PEFT)
    ((name, method),) = fitted_methods(model).items()
    assert name == 'backbone.methods.0' and external_keys(model) == {'backbone.methods.0.bank.keys'}
    assert external_keys(model) < set(model.state_dict())
    assert describe_states(model, with_origin=False) == dict(bank_hash=None)
    fill_bank(model)
    assert describe_states(model, with_origin=False) == dict(bank_hash=method.content_hash())
    plain = build_classifier()
    assert fitted_methods(plain) == {} and external_keys(plain) == set()
    assert describe_states(plain, with_origin=True) == {}


def test_training_step_of_mmengine() -> None:
    """``train_step`` and ``test_step`` take what the data loader collates."""
    init_default_scope('point_peft')
    from mmengine.optim import OptimWrapper

    model = PointClassifier(
        BACKBONE,
        dict(type='PointClsHead', num_classes=NUM_CLASSES, hidden_dims=(16,)),
        peft=dict(type='PEFTBackbone', methods=POINT_PEFT),
        data_preprocessor=dict(type='PointDataPreprocessor', num_points=48),
    )
    assert isinstance(model.data_preprocessor, PointDataPreprocessor)
    trained = [p for p in model.parameters() if p.requires_grad]
    wrapper = OptimWrapper(torch.optim.AdamW(trained, lr=1e-2))
    batch = dict(inputs=dict(points=list(clouds(4))), data_samples=samples([0, 1, 2, 3]))
    logs = [model.train().train_step(batch, wrapper)['loss'].item() for _ in range(8)]
    assert min(logs[-3:]) < logs[0]
    found = model.eval().test_step(batch)
    assert [sample.source for sample in found] == [f'toy.h5[{i}]' for i in range(4)]


def test_init_weights_once() -> None:
    """Repeated after training, it neither undoes it nor takes trained values for pre-trained ones."""
    model = build_classifier(POINT_PEFT)
    fill_bank(model)
    train(model)
    expected, state = logits(model, clouds()), state_of(model)
    model.init_weights()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(logits(model, clouds()), expected)


def test_missing_part() -> None:
    """A head of an unknown type is named."""
    with pytest.raises(KeyError, match='PointClassHead'):
        PointClassifier(BACKBONE, dict(type='PointClassHead'))
    assert issubclass(MODELS.get('PointClsHead'), nn.Module)
