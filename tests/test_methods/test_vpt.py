"""VPT, deep and shallow."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_models import build_classifier, build_plain, clouds, logits, train

import point_peft.methods.vpt


def test_formula() -> None:
    """Before every block its own prompts stand behind the class token; after it they are taken out."""
    model = build_classifier([dict(type='VPTDeep', num_tokens=3)])
    prompts = model.backbone.methods[0].embeddings
    plain = build_plain()
    tokens = plain.embed(clouds())
    pos = torch.cat([plain.cls_pos.expand(4, -1, -1), plain.pos_embed(tokens.centers)], dim=1)
    x = torch.cat([plain.cls_token.expand(4, -1, -1), tokens.features], dim=1)
    for block, prompt in zip(plain.layers, prompts):
        x = x + pos  # prompts have no position
        x = block(torch.cat([x[:, :1], prompt.expand(4, -1, -1), x[:, 1:]], dim=1))
        x = torch.cat([x[:, :1], x[:, 4:]], dim=1)
    features = model.backbone(clouds())
    torch.testing.assert_close(torch.cat([features.prefix, features.patches], dim=1), plain.norm(x))


def test_layers() -> None:
    """Prompts in the named blocks only."""
    model = build_classifier([dict(type='VPTDeep', num_tokens=3, layers=[2])])
    lengths = []
    for block in model.backbone.backbone.layers:
        block.norm1.register_forward_hook(lambda _, args, x: lengths.append(x.shape[1]))
    logits(model, clouds())
    assert lengths == [17, 17, 20, 17] and len(model.backbone.methods[0].embeddings) == 1


def test_own_positions() -> None:
    """They are added to the prompts of their block; both learn."""
    model = build_classifier([dict(type='VPTDeep', num_tokens=3, own_positions=True)])
    method = model.backbone.methods[0]
    sums = [tokens + at for tokens, at in zip(method.embeddings, method.embedding_positions, strict=True)]
    assert all(torch.equal(method.prompts(index)[0], found) for index, found in enumerate(sums))
    train(model, steps=1)
    assert all(p.grad.abs().sum() > 0 for p in method.parameters()) and len(list(method.parameters())) == 8


def test_shallow_formula() -> None:
    """The prompts enter the first block and go through all, without position; the head does not see them."""
    model = build_classifier([dict(type='VPTShallow', num_tokens=3)])
    (prompt,) = model.backbone.methods[0].embeddings
    plain = build_plain()
    tokens = plain.embed(clouds())
    pos = torch.cat([plain.cls_pos.expand(4, -1, -1), plain.pos_embed(tokens.centers)], dim=1)
    x = torch.cat([plain.cls_token.expand(4, -1, -1), tokens.features], dim=1)
    prompt = prompt.expand(4, -1, -1)
    for block in plain.layers:
        x = x + pos
        x = block(torch.cat([x[:, :1], prompt, x[:, 1:]], dim=1))
        prompt, x = x[:, 1:4], torch.cat([x[:, :1], x[:, 4:]], dim=1)
    features = model.backbone(clouds())
    torch.testing.assert_close(torch.cat([features.prefix, features.patches], dim=1), plain.norm(x))
    assert features.num_kept == 0 and model.backbone.num_prefix_tokens == 1


def test_shallow_learns() -> None:
    """Through all blocks."""
    model = build_classifier([dict(type='VPTShallow', num_tokens=3)], fresh=True, drop_path_rate=0.0)
    losses = train(model, steps=6, lr=0.01)
    assert losses[-1] < losses[0] and model.backbone.methods[0].embeddings[0].grad.abs().sum() > 0


def test_fresh_prompts_take_part() -> None:
    """Unlike adapters, prompts are keys and values from the start."""
    fresh = build_classifier([dict(type='VPTDeep', num_tokens=3)], fresh=True)
    assert (logits(fresh, clouds()) - logits(build_classifier(), clouds())).abs().max() > 1e-4


def test_xavier() -> None:
    """Uniform with variance 2 / (T + C), the same seed giving the same prompts."""
    methods = [dict(type='VPTDeep', num_tokens=10)]
    values = torch.cat(list(build_classifier(methods, fresh=True).backbone.methods[0].embeddings))
    bound = (6 / (10 + 48)) ** 0.5
    assert values.abs().max() <= bound and values.abs().max() > 0.98 * bound
    assert values.var().item() == pytest.approx(2 / 58, rel=0.1)
    again = torch.cat(list(build_classifier(methods, fresh=True).backbone.methods[0].embeddings))
    assert torch.equal(values, again)


def test_learns() -> None:
    """Every block's prompts get a gradient, and the loss falls."""
    model = build_classifier([dict(type='VPTDeep', num_tokens=3)], fresh=True, drop_path_rate=0.0)
    losses = train(model, steps=6, lr=0.01)
    assert losses[-1] < losses[0]
    assert all(p.grad.abs().sum() > 0 for p in model.backbone.methods.parameters())


def test_dropout() -> None:
    """Dropout of the prompts acts in train mode only."""
    method = build_classifier([dict(type='VPTDeep', num_tokens=3, dropout=0.5)]).backbone.methods[0]
    assert method.train().prompts(0).eq(0).any() and not method.eval().prompts(0).eq(0).any()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(num_tokens=0), 'num_tokens=0, but a prompt needs at least one token'),
        (dict(layers=[0, 4]), r'prompt layers \[4\] do not exist: the backbone has blocks 0 to 3'),
    ],
)
def test_bad_input(arguments: dict, message: str) -> None:
    """No tokens, or a block that is not there."""
    with pytest.raises(ValueError, match=message):
        build_classifier([dict(type='VPTDeep', **arguments)])


def test_one_short_file() -> None:
    """The method is one file of at most 120 lines."""
    assert len(Path(point_peft.methods.vpt.__file__).read_text().splitlines()) <= 120
