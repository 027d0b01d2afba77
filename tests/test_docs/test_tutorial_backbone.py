"""The adapted backbone of docs/tutorial_new_backbone.md, run as it stands there on a network like timm's."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import timm_stand_in
import torch
from markdown_blocks import code_blocks, write_files
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from safetensors.torch import save_file
from small_models import clouds, fill_bank, logits, state_of

from point_peft.backbones import PointBackbone, check_backbone
from point_peft.engine.config import load_config
from point_peft.engine.config.check import check_config
from point_peft.models import PointClassifier
from point_peft.procedural import ProceduralShapes
from point_peft.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / 'docs/tutorial_new_backbone.md'
FILES = ['image_transformer.py', 'check.py', 'image_transformer_full.py', 'image_transformer_point_peft.py']
IMAGE_WEIGHTS = Path('checkpoints/vit_tiny_patch16_224.safetensors')
POINT_WEIGHTS = Path('checkpoints/image_transformer.pth')


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the tutorial's files and timm's weights, and the stand-in for timm; all forgotten afterwards."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    written = write_files(code_blocks(TUTORIAL, 'python'), tmp_path)
    assert [path.name for path in written] == FILES
    monkeypatch.setitem(sys.modules, 'timm', timm_stand_in)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    IMAGE_WEIGHTS.parent.mkdir()
    torch.manual_seed(5)
    save_file(timm_stand_in.create_model('vit_tiny').state_dict(), IMAGE_WEIGHTS)
    yield tmp_path
    MODELS.module_dict.pop('ImageTransformer', None)
    for name in [name for name in sys.modules if name.partition('.')[0] == 'my_project']:
        del sys.modules[name]


def build(project: Path, name: str) -> tuple[PointClassifier, Config]:
    """The model of a config, which is valid, with its weights."""
    config = load_config(project / f'my_project/{name}.py')
    check_config(config)
    model = MODELS.build(config.model)
    model.data_preprocessor = MODELS.build(config.data_preprocessor)
    model.init_weights()
    return model, config


def train(model: PointClassifier, steps: int = 1) -> None:
    """Steps as in a run."""
    shapes = ProceduralShapes(16, num_points=128)
    batch: dict[str, Any] = pseudo_collate([shapes[index] for index in range(16)])
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    wrapper = OptimWrapper(torch.optim.AdamW(trained, lr=1e-3, weight_decay=0))
    for _ in range(steps):
        assert model.train().train_step(batch, wrapper)['loss'].isfinite()
    model.eval()


def test_length() -> None:
    """A backbone is adapted in under forty lines."""
    (adapted,) = [block for block in code_blocks(TUTORIAL, 'python') if 'class ImageTransformer' in block]
    assert len(adapted.splitlines()) < 40


def test_contract(project: Path, capsys: pytest.CaptureFixture) -> None:
    """The check of the tutorial passes, and says so; a block with another name would not pass."""
    runpy.run_path(str(project / 'my_project/check.py'))
    assert 'any tuning method and any head works on it' in capsys.readouterr().out
    from my_project.image_transformer import ImageTransformer

    backbone = ImageTransformer('vit_tiny_patch16_224', num_groups=16, group_size=8)
    assert isinstance(backbone, PointBackbone) and len(backbone.layers) == 4
    check_backbone(backbone, clouds())
    del backbone.blocks[2].mlp.fc1
    with pytest.raises(TypeError, match=r'layers\[2\]\.mlp\.fc1 is not an nn\.Linear'):
        check_backbone(backbone, clouds())


def test_both_trainings(project: Path, log: list) -> None:
    """Weights of images, all fine-tuned; then the frozen result under Point-PEFT, to the byte, for a step each."""
    full, _ = build(project, 'image_transformer_full')
    image = timm_stand_in.create_model('vit_tiny')
    loaded = full.backbone.base_state()
    assert set(loaded) == {n for n in image.state_dict() if n.startswith(('blocks.', 'norm.', 'cls_'))}
    before = state_of(full)
    train(full)
    dead = [name for name, p in full.named_parameters() if torch.equal(p, before[name])]
    assert {
        name for name in dead if not name.endswith('_conv.0.bias')
    } == set()  # a batch norm takes those out
    torch.save({'state_dict': full.state_dict()}, POINT_WEIGHTS)

    tuned, config = build(project, 'image_transformer_point_peft')
    assert [hook.type for hook in config.model.peft.methods][0] == 'PointPriorPrompt'
    pretrained = full.backbone.state_dict()
    assert set(tuned.backbone.backbone.base_state()) == set(pretrained)
    points = clouds(4, 128)
    assert torch.equal(tuned.backbone.detach().eval()(points).patches, full.backbone(points).patches)
    tuned.backbone.attach()
    fill_bank(tuned)
    before = state_of(tuned)
    train(tuned)
    for name, value in tuned.backbone.backbone.state_dict().items():
        changed = name in tuned.backbone.tuned_names
        assert torch.equal(value, pretrained[name]) != changed, name
    assert any(
        not torch.equal(value, before[n]) for n, value in tuned.state_dict().items() if '.methods.' in n
    )
    alone = torch.cat([logits(tuned, cloud[None]) for cloud in points])
    torch.testing.assert_close(alone, logits(tuned, points), atol=1e-5, rtol=0)
    assert torch.equal(tuned.backbone.detach()(points).patches, full.backbone(points).patches)
