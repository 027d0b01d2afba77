"""mmdet3d's own modules and detectors, unmodified and from its own configs, on a CPU."""

import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmdet3d')
sys.path.insert(0, str(Path(__file__).resolve().parent))

import mmdet3d  # noqa: E402
import reference_ops as reference  # noqa: E402
from mmcv.ops import PointsSampler  # noqa: E402
from mmdet3d.models.layers import PointFPModule, PointSAModule  # noqa: E402
from mmdet3d.registry import MODELS  # noqa: E402
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample, PointData  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.structures import InstanceData  # noqa: E402
from op_cases import cloud, rows  # noqa: E402

import point_peft.detection  # noqa: E402, F401

CONFIGS = Path(mmdet3d.__file__).parent / '.mim' / 'configs'
NUM_OBJECTS, NUM_POINTS = 4, 2500


@pytest.mark.parametrize(
    ('modes', 'ranges', 'sizes'),
    [
        (['D-FPS'], [-1], [20]),
        (['F-FPS'], [-1], [20]),
        (['FS'], [-1], [10]),
        (['D-FPS', 'F-FPS'], [40, -1], [12, 8]),
    ],
)
def test_points_sampler(modes, ranges, sizes):
    points, features = cloud('random', 100), torch.rand(2, 5, 100, generator=torch.Generator().manual_seed(0))
    index = PointsSampler(sizes, modes, ranges)(points, features)
    assert index.shape == (2, 20) and index.dtype == torch.int32
    joined = torch.cat([points, features.mT], dim=2)
    for row, near, alike in zip(index.tolist(), rows(points), rows(joined)):
        by_place = reference.farthest(reference.distances(near, near), sizes[0])
        by_feature = reference.farthest(reference.distances(alike, alike), sizes[0])
        expected = {'D-FPS': by_place, 'F-FPS': by_feature, 'FS': by_feature + by_place}[modes[0]]
        if len(modes) == 2:  # the second sampler begins where the range of the first ends
            rest = reference.distances(alike[40:], alike[40:])
            by_place = reference.farthest(reference.distances(near[:40], near[:40]), sizes[0])
            expected = by_place + [40 + i for i in reference.farthest(rest, sizes[1])]
        assert row == expected


def test_set_abstraction():
    torch.manual_seed(0)
    module = PointSAModule([4, 8], num_point=16, radius=1.2, num_sample=6, normalize_xyz=True).eval()
    points, features = cloud('random', 60), torch.randn(2, 4, 60)
    with torch.no_grad():
        centers, pooled, index = module(points, features)
        for b in range(2):
            taken = reference.farthest(reference.distances(rows(points[b]), rows(points[b])), 16)
            assert index[b].tolist() == taken
            assert torch.equal(centers[b], points[b, taken])
            near = torch.tensor(reference.ball_query(0.0, 1.2, 6, rows(points[b]), rows(centers[b])))
            offsets = (points[b, near] - centers[b].unsqueeze(1)) / 1.2
            groups = torch.cat([offsets, features[b].T[near]], dim=-1).permute(2, 0, 1)
            torch.testing.assert_close(pooled[b], module.mlps[0](groups[None])[0].amax(-1))


def test_feature_propagation():
    torch.manual_seed(0)
    module = PointFPModule([5, 7]).eval()
    target, source = cloud('random', 30), cloud('random', 12, seed=1)
    features = torch.randn(2, 5, 12, requires_grad=True)
    result = module(target, source, None, features)
    distance, index = torch.cdist(target, source).topk(3, largest=False)
    weight = torch.softmax(-torch.log(distance + 1e-8), dim=-1)  # inverse distances that sum to one
    near = torch.stack([f.T[i] for f, i in zip(features, index)])
    expected = module.mlps((near * weight.unsqueeze(-1)).sum(2).mT.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    ours, theirs = (torch.autograd.grad(x.square().sum(), features)[0] for x in (result, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def scene(seed, with_yaw, channels):
    """Points on a few objects, and what the heads want to know about them."""
    generator = torch.Generator().manual_seed(seed)
    centers, sizes = torch.rand(NUM_OBJECTS, 3, generator=generator) * 4, torch.rand(NUM_OBJECTS, 3) + 0.4
    yaw = torch.rand(NUM_OBJECTS, 1, generator=generator) * with_yaw
    boxes = torch.cat([centers, sizes, yaw], dim=1)
    boxes = DepthInstance3DBoxes(boxes, with_yaw=with_yaw, origin=(0.5, 0.5, 0.5))
    which = torch.randint(0, NUM_OBJECTS, (NUM_POINTS,), generator=generator)
    points = centers[which] + (torch.rand(NUM_POINTS, 3, generator=generator) - 0.5) * sizes[which] * 0.7
    sample = Det3DDataSample(metainfo={'box_type_3d': DepthInstance3DBoxes})
    sample.gt_instances_3d = InstanceData(bboxes_3d=boxes, labels_3d=torch.arange(NUM_OBJECTS))
    sample.gt_pts_seg = PointData(pts_semantic_mask=which, pts_instance_mask=which)
    return torch.cat([points, points[:, 2:]], dim=1)[:, :channels], sample


@pytest.mark.parametrize(
    ('config', 'with_yaw', 'channels'),
    [
        ('votenet/votenet_8xb8_scannet-3d.py', False, 4),
        ('votenet/votenet_8xb16_sunrgbd-3d.py', True, 4),
        ('groupfree3d/groupfree3d_head-L6-O256_4xb8_scannet-seg.py', False, 3),
    ],
)
def test_a_training_step_and_a_prediction(config, with_yaw, channels):
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / config)
    model = MODELS.build({**cfg.model, '_scope_': 'mmdet3d'})
    points, samples = zip(*(scene(seed, with_yaw, channels) for seed in range(2)))
    data = {'inputs': {'points': list(points)}, 'data_samples': list(samples)}
    loss, parts = model.parse_losses(model(**model.data_preprocessor(data, True), mode='loss'))
    loss.backward()
    assert loss > 0 and all(part.isfinite() for part in parts.values())
    without = [name for name, value in model.named_parameters() if value.grad is None]
    assert not without and all(value.grad.isfinite().all() for value in model.parameters())
    assert model.backbone.SA_modules[0].mlps[0][0].conv.weight.grad.abs().max() > 0
    torch.optim.SGD(model.parameters(), lr=1e-4).step()
    model.eval()
    for point, sample in zip(
        points, samples
    ):  # GroupFree3DHead gives all scenes of a batch the same predictions
        (result,) = model.test_step({'inputs': {'points': [point]}, 'data_samples': [sample]})
        predicted = result.pred_instances_3d
        assert len(predicted.bboxes_3d) == len(predicted.scores_3d) == len(predicted.labels_3d) > 0
        assert predicted.bboxes_3d.tensor.isfinite().all() and predicted.scores_3d.isfinite().all()
