"""The model and its data preprocessor, without mmdet3d."""

from __future__ import annotations

import pytest
import torch
from rooms import NUM_CLASSES, SLIDING, blocks, build_segmentor
from rooms import block_samples as samples
from rooms import scene as make_scene
from small_models import POINT_PEFT, state_of

from point_peft.models import ScenePreprocessor
from point_peft.models.scene_preprocessor import unit_sphere
from point_peft.registry import MODELS


def test_preprocessor() -> None:
    """Coordinates go into the unit sphere, block by block; the columns stay; scenes of several sizes stay apart."""
    rows = blocks(3) * torch.tensor([1.0, 5.0, 20.0]).view(3, 1, 1) + 4
    done = ScenePreprocessor()(dict(inputs=dict(points=list(rows)), data_samples=None), training=True)[
        'inputs'
    ]
    assert torch.equal(done['point_features'], rows)
    assert done['points'].mean(dim=1).abs().max() < 1e-5
    torch.testing.assert_close(done['points'].norm(dim=-1).amax(dim=1), torch.ones(3))
    scenes = [rows[0], rows[1, :50]]
    done = ScenePreprocessor()(dict(inputs=dict(points=scenes), data_samples=None))['inputs']
    assert [len(cloud) for cloud in done['points']] == [96, 50] and done['point_features'][1] is scenes[1]
    with pytest.raises(
        ValueError, match='the blocks of a batch have 50 to 96 points; put IndoorPatchPointSample'
    ):
        ScenePreprocessor()(dict(inputs=dict(points=scenes), data_samples=None), training=True)


def test_unit_sphere_of_one_point() -> None:
    """A window with a single point, repeated, is finite."""
    assert torch.equal(unit_sphere(torch.full((1, 8, 3), 2.0)), torch.zeros(1, 8, 3))


def test_size_and_place_of_a_block_reach_the_decoder_only() -> None:
    """The backbone sees the same block, wherever it is and however large."""
    model, rows = build_segmentor(), blocks()
    seen = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for changed in (rows, rows * torch.tensor([3.0, 3, 3, 1, 1, 1]) + torch.tensor([1.0, 2, 3, 0, 0, 0])):
        data = model.data_preprocessor(dict(inputs=dict(points=list(changed)), data_samples=None))
        model(data['inputs'], mode='tensor')
    torch.testing.assert_close(seen[0], seen[1], rtol=1e-4, atol=1e-5)


def test_loss_is_that_of_the_logits() -> None:
    """Labels reach the head in their order."""
    model, rows = build_segmentor(), blocks()
    inputs = dict(points=unit_sphere(rows[..., :3]), point_features=rows)
    labels = torch.randint(0, NUM_CLASSES + 1, (2, 96), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss = model(inputs, samples(labels.int()), mode='loss')
        assert torch.equal(
            loss['loss'], model.head.loss(model(inputs, mode='tensor'), samples(labels))['loss']
        )


def test_prediction() -> None:
    """Every point of scenes of several sizes gets the class of its largest mean logit."""
    model = build_segmentor()
    scenes = [make_scene(size) for size in (80, 30)]
    with torch.no_grad():
        model.head.classify.bias -= model.scene_logits(scenes[0]).mean(
            dim=0
        )  # so that more than one class wins
        found = model(dict(points=scenes, point_features=scenes), mode='predict')
        for scene, sample in zip(scenes, found):
            logits = model.scene_logits(scene)
            assert logits.shape == (len(scene), NUM_CLASSES) and logits.isfinite().all()
            assert torch.equal(sample.pred_pts_seg.pts_semantic_mask, logits.argmax(dim=1))
    assert len(set(found[0].pred_pts_seg.pts_semantic_mask.tolist())) > 1


def test_mean_over_blocks() -> None:
    """Against a loop over the blocks one by one; how many go through the model at once does not matter."""
    model = build_segmentor()
    scene = make_scene()
    parts: list[list[torch.Tensor]] = [[] for _ in scene]
    index, centers = model.sliding.cut(scene[:, :3])
    with torch.no_grad():
        for row, center in zip(index, centers):
            columns = torch.cat([scene[row, :2] - center, scene[row, 2:]], dim=1).unsqueeze(0)
            inputs = dict(points=unit_sphere(columns[..., :3]), point_features=columns)
            for point, logits in zip(row.tolist(), model(inputs, mode='tensor')[0]):
                parts[point].append(logits)
        expected = torch.stack([torch.stack(part).mean(dim=0) for part in parts])
        torch.testing.assert_close(model.scene_logits(scene), expected, rtol=1e-3, atol=1e-3)


def test_sparse_scene() -> None:
    """A scene with fewer points than the backbone makes groups is still labelled."""
    scene = make_scene()[:5]
    with torch.no_grad():
        assert build_segmentor().scene_logits(scene).isfinite().all()


def test_fewer_points_than_groups() -> None:
    """One sentence, from a block that came with too few points and from a setting."""
    rows = blocks(num_points=12)
    inputs = dict(points=unit_sphere(rows[..., :3]), point_features=rows)
    sentence = (
        'a block has 12 points, but the backbone cuts it into 16 groups; raise {} to 16 or more, or lower'
    )
    with pytest.raises(ValueError, match=sentence.format('num_points of IndoorPatchPointSample')):
        build_segmentor(methods=POINT_PEFT)(inputs, mode='tensor')
    with pytest.raises(ValueError, match=sentence.format('model.test_cfg.num_points')):
        build_segmentor(test_cfg=dict(SLIDING, num_points=12))


def test_unknown_mode() -> None:
    """The message names the three."""
    with pytest.raises(
        ValueError, match="mode='logits' is unknown to SceneSegmentor; use 'tensor', 'loss' or"
    ):
        build_segmentor()(dict(points=blocks()[..., :3], point_features=blocks()), mode='logits')


def test_frozen_backbone() -> None:
    """Under Point-PEFT, training moves the methods and the decoder, and no frozen weight by a bit."""
    model = build_segmentor(methods=POINT_PEFT)
    before, rows = state_of(model), blocks(4)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    inputs = dict(points=unit_sphere(rows[..., :3]), point_features=rows)
    model.train()
    model(inputs, samples(torch.randint(0, NUM_CLASSES, (4, 96))), mode='loss')['loss'].backward()
    optimizer.step()
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert {name for name in moved if name.startswith('backbone.backbone.')} <= trainable
    assert any(name.startswith('backbone.methods.') for name in moved)
    assert {name for name, _ in model.head.named_parameters()} <= {name[5:] for name in moved}


def test_registered() -> None:
    """By name, as configs have them."""
    for name in ('SceneSegmentor', 'ScenePreprocessor', 'PropagationSceneSegHead', 'LinearSceneSegHead'):
        assert MODELS.get(name) is not None
