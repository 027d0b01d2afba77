"""A small 3DETR head, and random features and boxes for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn import functional as F

from point_peft.detection import Detr3DHead

BASE = Path(__file__).resolve().parents[2] / 'configs/_base_/models/detr3d.py'
NUM_CLASSES, CHANNELS, SEEDS, QUERIES, LAYERS = 3, 32, 40, 12, 3
MIDDLE = (0.5, 0.5, 0.5)
BOX_LOSSES = {
    False: {'loss_center', 'loss_size', 'loss_iou'},
    True: {'loss_center', 'loss_size', 'loss_dir_class', 'loss_dir_res'},
}
ROTATED = pytest.mark.parametrize('rotated', [False, True], ids=['upright', 'rotated'])


def head_config(rotated: bool = False, **changes: Any) -> dict[str, Any]:
    """The head of the base config with its losses, costs and thresholds, but small and without dropout."""
    model = Config.fromfile(BASE).model
    head = model.bbox_head
    head.decoder.num_layers = LAYERS
    for name in ('self_attn_cfg', 'cross_attn_cfg'):
        head.decoder.layer_cfg[name].update(embed_dims=CHANNELS, attn_drop=0.0, proj_drop=0.0)
    head.decoder.layer_cfg.ffn_cfg.update(embed_dims=CHANNELS, feedforward_channels=CHANNELS, ffn_drop=0.0)
    head.pred_layer_cfg = dict(
        in_channels=CHANNELS,
        shared_conv_channels=(CHANNELS,),
        cls_conv_channels=(CHANNELS,),
        reg_conv_channels=(CHANNELS,),
    )
    head.bbox_coder.update(
        num_sizes=NUM_CLASSES,
        num_dir_bins=12 if rotated else 1,
        with_rot=rotated,
        mean_sizes=[[1.0, 1.0, 1.0]] * NUM_CLASSES,
    )
    head.update(num_classes=NUM_CLASSES, num_queries=QUERIES)
    head.update(train_cfg=model.train_cfg, test_cfg=model.test_cfg)
    head.update(changes)
    return head


def make_head(rotated: bool = False, **changes: Any) -> Detr3DHead:
    """A small head, which does not mix the scenes of a batch: batch norm is in evaluation mode."""
    head = MODELS.build(head_config(rotated, **changes))
    head.init_weights()
    return head.eval()


def ground_truth(num_boxes: int, rotated: bool = False) -> InstanceData:
    """Random boxes in a room of 3 x 2 x 2 metres."""
    tensor = torch.rand(num_boxes, 7) * torch.tensor([3, 2, 2, 1, 1, 1, 6.28]) + torch.tensor([0.3] * 6 + [0])
    boxes = DepthInstance3DBoxes(
        tensor if rotated else tensor[:, :6], box_dim=7 if rotated else 6, with_yaw=rotated, origin=MIDDLE
    )
    return InstanceData(bboxes_3d=boxes, labels_3d=torch.randint(NUM_CLASSES, (num_boxes,)))


def features(num_scenes: int) -> dict[str, list[Tensor]]:
    """Seeds at random places of the room, with random features."""
    places = torch.rand(num_scenes, SEEDS, 3) * torch.tensor([4.0, 3.0, 3.0])
    index = torch.arange(SEEDS).expand(num_scenes, -1)
    return dict(fp_xyz=[places], fp_features=[torch.randn(num_scenes, CHANNELS, SEEDS)], fp_indices=[index])


def samples(*scenes: InstanceData) -> list[Det3DDataSample]:
    """Data samples as mmdet3d's indoor datasets give them."""
    return [
        Det3DDataSample(gt_instances_3d=scene, metainfo=dict(box_type_3d=DepthInstance3DBoxes))
        for scene in scenes
    ]


def pick(feats: dict[str, list[Tensor]], scene: int) -> dict[str, list[Tensor]]:
    """Features of one scene of a batch."""
    return {name: [values[-1][scene : scene + 1]] for name, values in feats.items()}


def perfect(head: Detr3DHead, scene: InstanceData) -> dict[str, Tensor]:
    """The prediction whose first queries are the boxes of a scene, from what the two branches would have to say."""
    extent = torch.tensor([[[4.0, 3.0, 3.0]]])
    center, size, _, _, dir_class, dir_res = head.bbox_coder.encode(scene.bboxes_3d, scene.labels_3d)
    bins, count = head.bbox_coder.num_dir_bins, len(scene)
    queries = torch.rand(1, QUERIES, 3)
    queries[0, :count] = center + 0.4 * (torch.rand(count, 3) - 0.5)
    parameters, logits = torch.zeros(1, 6 + 2 * bins, QUERIES), torch.zeros(1, NUM_CLASSES + 1, QUERIES)
    logits[:, -1] = 30
    logits[0, :, :count] = 30 * F.one_hot(scene.labels_3d, NUM_CLASSES + 1).T
    parameters[0, :3, :count] = (center - queries[0, :count] + 0.5).logit().T
    parameters[0, 3 : 3 + bins, :count] = 30 * F.one_hot(dir_class, bins).T
    parameters[0, 3 + bins : 3 + 2 * bins, :count] = (dir_res / (torch.pi / bins)).expand(bins, -1)
    parameters[0, -3:, :count] = (size / extent[0]).logit().T
    return head.predict_boxes(logits, parameters, queries, extent)
