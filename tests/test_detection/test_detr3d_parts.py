"""Parts of the 3DETR-style detector: position embedding, generalised IoU, the detector itself from its base config."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

pytest.importorskip('mmdet3d')

from mmdet3d.models.detectors import VoteNet
from mmdet3d.registry import MODELS
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample
from mmengine.structures import InstanceData

from point_peft.detection import AxisAlignedGIoULoss, Detr3D, Detr3DHead
from point_peft.detection.position_embedding import FourierEmbedding

MODEL_CONFIGS = Path(__file__).resolve().parents[2] / 'configs/_base_/models'


def test_fourier_embedding_is_sines_and_cosines_of_whole_scenes() -> None:
    embedding = FourierEmbedding(4)
    embedding.frequencies.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]))
    places = torch.tensor([[0.25, 0.125, 0.7], [1.0, 0.5, 0.2]])
    torch.testing.assert_close(
        embedding(places), torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]]), atol=1e-5, rtol=0
    )
    with pytest.raises(ValueError, match='odd'):
        FourierEmbedding(5)


def test_scale_is_the_deviation_of_the_frequencies() -> None:
    assert FourierEmbedding(4000, scale=3.0).frequencies.std().item() == pytest.approx(3.0, rel=0.1)


def test_generalised_iou_pulls_boxes_that_do_not_touch() -> None:
    pred = torch.tensor([[0.0, 0, 0, 1, 1, 1], [3, 0, 0, 4, 1, 1]], requires_grad=True)
    target = torch.tensor([[0.0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]])
    loss = AxisAlignedGIoULoss(loss_weight=2.0)(pred, target, avg_factor=4)
    loss.backward()
    assert loss.item() == pytest.approx(
        2 * (0 + 1 + 0.5) / 4
    )  # of the hull of the second pair, half is empty
    assert pred.grad[1, 0] > 0


def detector() -> Detr3D:
    """The detector of the base configs for the mini backbone, without pre-trained weights and with 16 queries."""
    cfg = Config.fromfile(MODEL_CONFIGS / 'detr3d.py').model
    encoder = Config.fromfile(MODEL_CONFIGS.parent / 'backbones' / 'pointmae_mini.py')
    cfg.backbone.update(backbone={**encoder.backbone, 'num_groups': 32, 'init_cfg': None})
    cfg.bbox_head.update(num_classes=2, num_queries=16)
    cfg.bbox_head.bbox_coder.update(num_sizes=2, num_dir_bins=1, with_rot=False, mean_sizes=[[1, 1, 1]] * 2)
    return MODELS.build(cfg)


def test_the_base_config_has_the_published_numbers() -> None:
    head = detector().bbox_head
    assert isinstance(head, Detr3DHead)
    layers = head.decoder.layers
    assert len(layers) == 8 and head.decoder.embed_dims == 256
    assert layers[0].cross_attn.num_heads == 4 and layers[0].ffn.feedforward_channels == 256
    weights = {name: loss.loss_weight for name, loss in head.set_loss.losses.items()}
    assert weights == dict(loss_cls=1, loss_center=5, loss_size=1, loss_iou=1)
    assert head.set_loss.losses.loss_cls.class_weight == [1, 1, 0.25]
    assert [cost.weight for cost in head.set_loss.assigner.match_costs] == [1, 2, 0, 0]


def test_the_detector_trains_and_predicts_through_mmdet3ds_interface() -> None:
    model = detector()
    assert isinstance(model, VoteNet)
    scene = InstanceData(
        bboxes_3d=DepthInstance3DBoxes(torch.tensor([[1.0, 1, 0, 1, 1, 1, 0]])), labels_3d=torch.tensor([1])
    )
    samples = [
        Det3DDataSample(gt_instances_3d=scene, metainfo=dict(box_type_3d=DepthInstance3DBoxes))
        for _ in range(2)
    ]
    inputs = dict(points=[torch.rand(500, 4) * 3 for _ in range(2)])
    losses = model(inputs, samples, mode='loss')
    total = sum(losses.values())
    assert len(losses) == 8 * 4 and total.isfinite()
    total.backward()
    assert model.backbone.backbone.layers[0].mlp.fc1.weight.grad.abs().sum() > 0
    with torch.no_grad():
        results = model.eval()(inputs, samples, mode='predict')
    for result in results:
        found = result.pred_instances_3d
        assert isinstance(found.bboxes_3d, DepthInstance3DBoxes)
        assert len(found.scores_3d) == len(found.labels_3d) == len(found.bboxes_3d) > 0
