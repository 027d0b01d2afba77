"""The ReCon backbone: a local stream of patch tokens, and three global tokens that read it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_models import build_plain, clouds, scramble
from torch.nn import functional as F

from point_peft.backbones.recon import TwoStreamBlock


def block() -> TwoStreamBlock:
    """A block with weights at which every part matters."""
    block = TwoStreamBlock(12, num_heads=3)
    scramble(block)
    return block.eval()


def test_formula() -> None:
    """Both streams written out; residuals start from the normed tokens."""
    layers, x = block(), torch.randn(2, 8, 12)
    glob, local = x[:, :3], x[:, 3:]
    read = F.layer_norm(local, (12,), layers.norm1.weight, layers.norm1.bias)
    local = layers.norm2(read + layers.attn(read))
    local = local + layers.mlp(local)
    glob = layers.norm1_contrast(glob)
    glob = layers.norm2_contrast(glob + layers.attn_contrast(glob, read))
    glob = glob + layers.mlp_contrast(glob)
    torch.testing.assert_close(layers(x), torch.cat([glob, local], dim=1))


def test_who_sees_whom() -> None:
    """Patch tokens see each other only; a global token sees the patch tokens and not the other global ones."""
    layers, x = block(), torch.randn(2, 8, 12)
    before = layers(x)
    other = layers(torch.cat([x[:, :1] + torch.randn(12), x[:, 1:]], dim=1))
    assert torch.equal(other[:, 1:], before[:, 1:]) and (other - before)[:, 0].abs().max() > 1e-2
    other = layers(torch.cat([x[:, :-1], x[:, -1:] + torch.randn(12)], dim=1))
    assert (other - before).abs().amax(dim=(0, 2)).min() > 1e-4


def test_mask_acts_among_patch_tokens() -> None:
    """With a mask that lets each patch see itself, it is alone; what the mask says of global tokens is not used."""
    layers, x = block(), torch.randn(2, 8, 12)
    mask = torch.eye(8, dtype=torch.bool)
    alone = torch.cat(
        [layers(torch.cat([x[:, :3], x[:, i : i + 1]], dim=1))[:, 3:] for i in range(3, 8)], dim=1
    )
    torch.testing.assert_close(layers(x, attn_mask=mask)[:, 3:], alone)
    torch.testing.assert_close(layers(x, attn_mask=mask)[:, :3], layers(x)[:, :3])
    assert torch.equal(layers(x, attn_mask=torch.ones(2, 1, 8, 8, dtype=torch.bool)), layers(x))
    hidden = torch.ones(8, 8, dtype=torch.bool)
    hidden[3:7, 7] = False  # the last patch token is hidden from the other ones
    before = layers(x, attn_mask=hidden)
    after = layers(torch.cat([x[:, :7], x[:, 7:] + torch.randn(12)], dim=1), attn_mask=hidden)
    assert torch.equal(after[:, 3:7], before[:, 3:7]) and not torch.equal(after[:, 7], before[:, 7])


@pytest.mark.parametrize(('token', 'position'), [('cls', 0), ('img', 1), ('text', 2)])
def test_global_tokens(token: str, position: int) -> None:
    """Three prefix tokens in this order; each has its parameters, and changing them changes nothing else."""
    backbone = build_plain('ReCon')
    names = [f'{name}_{part}' for name in ('cls', 'img', 'text') for part in ('token', 'pos')]
    assert backbone.num_prefix_tokens == 3 and backbone.prefix_parameters() == names
    before = backbone(clouds())
    with torch.no_grad():
        backbone.get_parameter(f'{token}_token').add_(torch.randn(48))
    after = backbone(clouds())
    assert torch.equal(after.patches, before.patches)
    changed = (after.prefix - before.prefix).abs().amax(dim=(0, 2)) > 1e-3
    assert changed.tolist() == [index == position for index in range(3)] and before.class_index == 0


def test_summary_needs_the_local_stream_only() -> None:
    """The maximum over the patch tokens, without running the global stream."""
    backbone = build_plain('ReCon')
    tokens = backbone.embed(clouds())
    expected = backbone.encode(tokens).patches.amax(dim=1)
    for layers in backbone.layers:
        layers.attn_contrast.register_forward_pre_hook(lambda *_: pytest.fail('the global stream ran'))
    torch.testing.assert_close(backbone.summarize(tokens), expected)


def test_checkpoint(tmp_path: Path) -> None:
    """Of a pre-training file the ``MAE_encoder.`` part is used, global tokens included."""
    source = build_plain('ReCon')
    scramble(source, seed=5)
    state = {f'module.MAE_encoder.{name}': value for name, value in source.state_dict().items()}
    torch.save({'base_model': state | {'module.img_proj.weight': torch.ones(3, 3)}}, tmp_path / 'recon.pth')
    backbone = build_plain('ReCon', init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'recon.pth')))
    backbone.init_weights()
    assert set(backbone.base_state()) == set(source.state_dict())
    assert torch.equal(backbone(clouds()).prefix, source(clouds()).prefix)


def test_drop_path_in_every_branch() -> None:
    """Stochastic depth grows over the blocks and acts on both streams while training."""
    backbone = build_plain('ReCon', drop_path_rate=0.3)
    assert [layers.drop_path.rate for layers in backbone.layers] == pytest.approx([0, 0.1, 0.2, 0.3])
    layers, x = TwoStreamBlock(12, num_heads=3, drop_path=0.98).train(), torch.randn(200, 8, 12)
    expected = torch.cat(
        [layers.norm2_contrast(layers.norm1_contrast(x[:, :3])), layers.norm2(layers.norm1(x[:, 3:]))], dim=1
    )
    dropped = (layers(x) - expected).abs().amax(dim=(1, 2)) < 1e-6
    assert 0.8 < dropped.float().mean() < 1
