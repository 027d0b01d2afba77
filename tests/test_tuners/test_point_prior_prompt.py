"""The Point-prior Prompt."""

from __future__ import annotations

import numpy as np
import pytest
import slow_tuners
import torch
from small_models import build_classifier, build_plain, clouds, fill_bank, logits, train

from point_peft.tuners import PointPriorPrompt

HOOK = dict(type='PointPriorPrompt', num_tokens=6, num_prior_groups=8, hidden_dim=3)


def test_prompts_against_numpy() -> None:
    """Learnable prompts plus the rows [query, attended, retrieved...] plus their bottleneck, per block."""
    model = build_classifier([dict(HOOK, temperature=0.5)]).double()
    fill_bank(model, rows=12)
    tuner, plain = model.backbone.tuners[0], build_plain().double()
    points = clouds(3).double()
    seen = []
    for position in range(2):
        original = tuner.prompts(position)  # before the bank is asked: the learnable ones
        assert torch.equal(original[0], tuner.embeddings[position])
    for block in model.backbone.backbone.layers:
        block.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    logits(model, points)
    assert [x.shape[1] for x in seen] == [8] * 4 + [23, 23, 17, 17]  # the prior on 8 groups, then the blocks
    summary = plain.summarize(plain.embed(points).first(8)).detach().numpy()
    for position in range(2):
        weights = [p.detach().numpy() for p in tuner.adapters[position].parameters()]
        for sample in range(3):
            found = slow_tuners.retrieve(tuner.bank.keys.numpy(), summary[sample], 4, 0.5)
            rows = np.vstack([found.query, found.attended, found.values])
            expected = (
                rows + slow_tuners.bottleneck(rows, *weights) + tuner.embeddings[position].detach().numpy()
            )
            np.testing.assert_allclose(seen[4 + position][sample, 1:7].numpy(), expected, atol=1e-10)


@pytest.mark.parametrize(('layers', 'expected'), [(None, [0, 1]), ([1, 3], [1, 3])])
def test_layers(layers: list[int] | None, expected: list[int]) -> None:
    """By default the first half of the blocks, else those that are named; parameters for these only."""
    model = build_classifier([dict(HOOK, layers=layers)])
    tuner = model.backbone.tuners[0]
    assert tuner.prompted_layers(model.backbone.backbone) == expected
    assert len(tuner.embeddings) == len(tuner.adapters) == len(expected)


def test_empty_bank(log: list) -> None:
    """Prompts stay as they are, with one warning over several forwards."""
    model = build_classifier([HOOK])
    prompts = [dict(type='VPTDeep', num_tokens=6, layers=[0, 1])]
    twin = build_classifier(prompts)
    twin.backbone.tuners[0].embeddings.load_state_dict(model.backbone.tuners[0].embeddings.state_dict())
    out = [logits(model, clouds(seed=seed)) for seed in (0, 0, 1)]
    assert torch.equal(out[0], out[1]) and torch.equal(out[0], logits(twin, clouds()))
    assert len(log.at('WARNING')) == 1 and 'the memory bank is empty' in log.at('WARNING')[0]
    fill_bank(model)
    assert (logits(model, clouds()) - out[0]).abs().max() > 1e-3
    assert len(log.at('WARNING')) == 1


def test_one_query_per_forward() -> None:
    """The bank is asked once, however many blocks have prompts, and nothing is kept afterwards."""
    model = build_classifier([dict(HOOK, layers=[0, 1, 2, 3])])
    fill_bank(model)
    tuner, calls = model.backbone.tuners[0], []
    tuner.bank.register_forward_hook(lambda *args: calls.append(args[1][1]))
    logits(model, clouds())
    assert calls == [4] and tuner._prior is None


def test_no_gradient_through_the_prior() -> None:
    """The prior runs without a graph, even with tuned backbone parameters."""
    model = build_classifier([HOOK, dict(type='SelectiveTuning')]).train()
    fill_bank(model)
    tuner, rows = model.backbone.tuners[0], []
    original = tuner.prompts
    tuner.prompts = lambda position: (rows.append(tuner._prior), original(position))[1]
    model(dict(points=clouds()))
    assert len(rows) == 2 and all(not row.requires_grad and row.grad_fn is None for row in rows)


def test_learns() -> None:
    """Prompts and bottlenecks get a gradient, and the loss falls."""
    model = build_classifier([HOOK], fresh=True, drop_path_rate=0.0)
    fill_bank(model)
    losses = train(model, steps=8, lr=0.01)
    assert losses[-1] < losses[0]
    for name, parameter in model.backbone.tuners.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_too_few_tokens() -> None:
    """Query, attended feature and at least one retrieved cloud."""
    with pytest.raises(ValueError, match='num_tokens=2, but Point-prior Prompt needs at least 3'):
        PointPriorPrompt(2)


def test_bank_smaller_than_the_prompt() -> None:
    """Four clouds are to be retrieved from two."""
    model = build_classifier([HOOK])
    fill_bank(model, rows=2)
    with pytest.raises(ValueError, match='holds 2 clouds but 4 are to be retrieved'):
        logits(model, clouds())


def test_a_failed_forward_leaves_nothing_behind() -> None:
    """After an error inside the blocks the hooks are inactive, and the next forward is right."""
    model = build_classifier([HOOK])
    fill_bank(model)
    expected = logits(model, clouds())
    block = model.backbone.backbone.layers[2]

    def fail(*args: object) -> None:
        raise RuntimeError('broken')

    handle = block.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match='broken'):
        logits(model, clouds())
    handle.remove()
    assert model.backbone.tuners[0].context is None
    assert torch.equal(model.backbone.backbone(clouds()).patches, build_plain()(clouds()).patches)
    assert torch.equal(logits(model, clouds()), expected)
