"""The Point-prior Prompt."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import slow_methods
import torch
from small_models import build_classifier, build_plain, clouds, fill_bank, logits, train

from point_peft.methods import PointPriorPrompt
from point_peft.structures import PointDataSample

HOOK = dict(type='PointPriorPrompt', num_tokens=6, num_prior_groups=8, hidden_dim=3)


def test_prompts_against_numpy() -> None:
    """Learnable prompts plus the rows [query, attended, retrieved...] plus their bottleneck, per block."""
    model = build_classifier([dict(HOOK, temperature=0.5)]).double()
    fill_bank(model, rows=12)
    method, plain = model.backbone.methods[0], build_plain().double()
    points = clouds(3).double()
    seen = []
    for block in model.backbone.backbone.layers:
        block.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    logits(model, points)
    assert [x.shape[1] for x in seen] == [8] * 4 + [23, 23, 17, 17]  # the prior on 8 groups, then the blocks
    summary = plain.summarize(plain.embed(points).first(8)).detach().numpy()
    for position in range(2):
        weights = [p.detach().numpy() for p in method.adapters[position].parameters()]
        for sample in range(3):
            found = slow_methods.retrieve(method.bank.keys.numpy(), summary[sample], 4, 0.5)
            rows = np.vstack([found.query, found.attended, found.values])
            expected = (
                rows + slow_methods.bottleneck(rows, *weights) + method.embeddings[position].detach().numpy()
            )
            np.testing.assert_allclose(seen[4 + position][sample, 1:7].numpy(), expected, atol=1e-10)


def test_first_half_by_default() -> None:
    """Six of twelve blocks, as released; of an odd number the smaller half."""
    method = PointPriorPrompt()
    assert method.prompted_layers(SimpleNamespace(layers=range(12))) == [0, 1, 2, 3, 4, 5]
    assert method.prompted_layers(SimpleNamespace(layers=range(5))) == [0, 1]


@pytest.mark.parametrize(
    ('layers', 'expected'), [('first_half', [0, 1]), ('all', [0, 1, 2, 3]), ([1, 3], [1, 3])]
)
def test_layers(layers: list[int] | str, expected: list[int]) -> None:
    """The first half of the blocks, all, or those that are named; parameters for these only."""
    model = build_classifier([dict(HOOK, layers=layers)])
    method = model.backbone.methods[0]
    assert method.prompted_layers(model.backbone.backbone) == expected
    assert len(method.embeddings) == len(method.adapters) == len(expected)


def test_empty_bank(log: list) -> None:
    """Prompts stay as they are, with one warning over several forwards."""
    model = build_classifier([HOOK])
    prompts = [dict(type='VPTDeep', num_tokens=6, layers=[0, 1])]
    twin = build_classifier(prompts)
    twin.backbone.methods[0].embeddings.load_state_dict(model.backbone.methods[0].embeddings.state_dict())
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
    method, calls = model.backbone.methods[0], []
    method.bank.register_forward_hook(lambda *args: calls.append(args[1][1]))
    logits(model, clouds())
    assert calls == [4] and method.activity.context is None


def test_no_gradient_through_the_prior() -> None:
    """The prior runs without a graph, even with tuned backbone parameters."""
    model = build_classifier([HOOK, dict(type='SelectiveTuning')]).train()
    fill_bank(model)
    method, rows = model.backbone.methods[0], []
    original = method.prompts
    method.prompts = lambda position: (rows.append(method.state), original(position))[1]
    model(dict(points=clouds()))
    assert len(rows) == 2 and all(not row.requires_grad and row.grad_fn is None for row in rows)


def test_its_own_row_is_left_out() -> None:
    """In training the clouds of the bank do not find themselves; in evaluation nothing is left out."""
    model = build_classifier([dict(HOOK, leave_out_nearest=True, dropout=0.0)])
    points = clouds(7)
    fitted, found = model.backbone.methods[0], []
    backbone = model.backbone.backbone
    fitted.bank.fill(backbone.summarize(backbone.embed(points).first(8)).detach())
    fitted.bank.register_forward_hook(lambda *args: found.append(args[2].index))
    logits(model, points)
    model.train()
    model(dict(points=points))
    evaluated, trained = found
    assert evaluated[:, 0].tolist() == list(range(7)) and trained.shape == (7, 4)
    assert torch.equal(trained[:, :3], evaluated[:, 1:])
    with pytest.raises(ValueError, match='holds 4 clouds but 5 are to be retrieved'):
        fill_bank(model, rows=4)
        fitted.check_ready()


def test_query_from_the_bank() -> None:
    """In training the clouds' own rows are the queries, whatever the clouds look like; evaluation computes them."""
    model = build_classifier([dict(HOOK, training_query='bank', dropout=0.0)], drop_path_rate=0.0)
    fill_bank(model)
    method, summaries = model.backbone.methods[0], []
    original = model.backbone.backbone.summarize
    model.backbone.backbone.summarize = lambda tokens: (summaries.append(tokens), original(tokens))[1]
    samples = [PointDataSample(metainfo=dict(sample_idx=index)) for index in (5, 0, 3)]
    for sample in samples:
        sample.gt_label = torch.tensor(1)
    states = []
    prompts = method.prompts
    method.prompts = lambda position: (states.append(method.state), prompts(position))[1]
    model.train()
    sum(model(dict(points=clouds(3)), samples, mode='loss').values()).backward()
    keys = method.bank.keys
    torch.testing.assert_close(states[0][:, 0], keys[[5, 0, 3]] * keys.shape[1] ** 0.5)
    assert not summaries and all(p.grad is not None for p in method.parameters())
    with pytest.raises(
        ValueError, match=r"training_query='bank' needs .*sample_idx.*use training_query='cloud'"
    ):
        model(dict(points=clouds(3)))
    logits(model.eval(), clouds(3))
    assert len(summaries) == 1
    with pytest.raises(ValueError, match="training_query='row' is unknown; use 'cloud'"):
        PointPriorPrompt(training_query='row')


@pytest.mark.parametrize('name', ['PointMAE', 'ReCon', 'PointGPT'])
def test_query_from_some_blocks(name: str) -> None:
    """The blocks behind them do not count, the final norm does, and the tuned backbone has them all."""
    model = build_classifier([dict(HOOK, num_prior_layers=2)], name=name)
    fill_bank(model)
    method, plain = model.backbone.methods[0], build_plain(name)
    found = []
    method.bank.register_forward_hook(lambda *args: found.append(args[1][0]))
    out = logits(model, clouds(3))
    tokens = plain.embed(clouds(3)).first(8)
    assert torch.equal(found[0], plain.summarize(tokens, num_layers=2))
    assert (found[0] - plain.summarize(tokens)).abs().max() > 1e-2
    assert torch.equal(plain.summarize(tokens, num_layers=4), plain.summarize(tokens))
    whole = build_classifier([dict(HOOK, num_prior_layers=4)], name=name)
    as_ever = build_classifier([HOOK], name=name)
    for other in (whole, as_ever):
        fill_bank(other)
    assert torch.equal(logits(whole, clouds(3)), logits(as_ever, clouds(3)))
    assert not torch.equal(out, logits(as_ever, clouds(3)))


@pytest.mark.parametrize('number', [0, 5, -1, 2.5, True])
def test_no_such_blocks(number: float) -> None:
    """Of four."""
    with pytest.raises(
        ValueError, match=rf'num_prior_layers={number} is no number of blocks of PointMAE; it has 4, so'
    ):
        build_classifier([dict(HOOK, num_prior_layers=number)])


def test_a_hierarchy_has_no_summary_of_some_blocks() -> None:
    """Its stages differ in dimension."""
    with pytest.raises(ValueError, match='num_prior_layers=2 cannot be used with PointM2AE, which describes'):
        build_classifier([dict(HOOK, num_prior_groups=None, num_prior_layers=2)], name='PointM2AE')


def test_learns() -> None:
    """Prompts and bottlenecks get a gradient, and the loss falls."""
    model = build_classifier([HOOK], fresh=True, drop_path_rate=0.0)
    fill_bank(model)
    losses = train(model, steps=8, lr=0.01)
    assert losses[-1] < losses[0]
    for name, parameter in model.backbone.methods.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_hierarchy() -> None:
    """All blocks of a hierarchy may have prompts; the bank enhances those of its dimension, the last stage's."""
    model = build_classifier([dict(HOOK, layers='all', num_prior_groups=None)], name='PointM2AE')
    method = model.backbone.methods[0]
    assert [tuple(prompt.shape) for prompt in method.embeddings] == [(6, 12), (6, 24), (6, 48), (6, 48)]
    assert [len(list(adapter.parameters())) for adapter in method.adapters] == [0, 0, 4, 4]
    fill_bank(model)
    seen, original = {}, method.prompts
    method.prompts = lambda position: seen.setdefault(position, original(position))
    logits(model, clouds())
    for position in (0, 1):
        assert torch.equal(seen[position][0], method.embeddings[position])
    for position in (2, 3):
        assert seen[position].shape == (4, 6, 48)
        assert (seen[position] - method.embeddings[position]).abs().amin(dim=(1, 2)).max() > 1e-4


def test_a_hierarchy_is_not_cut() -> None:
    """The prior of a hierarchical backbone needs all its groups: the message says which option."""
    model = build_classifier([dict(HOOK, layers='all')], name='PointM2AE')
    fill_bank(model)
    with pytest.raises(ValueError, match=r'cannot be cut to 8 of 32 groups; set num_prior_groups=None'):
        logits(model, clouds())


def test_unknown_layers() -> None:
    """A word that is no choice."""
    with pytest.raises(ValueError, match="layers='second_half' is unknown; use 'first_half', 'all' or"):
        PointPriorPrompt(layers='second_half')


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
    assert model.backbone.methods[0].activity.context is None
    assert torch.equal(model.backbone.backbone(clouds()).patches, build_plain()(clouds()).patches)
    assert torch.equal(logits(model, clouds()), expected)


def test_empty_bank_on_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training would stop in its second step with torch's words about unused parameters; looking at it is fine."""
    from point_peft.methods import point_prior_prompt

    model = build_classifier([HOOK]).train()
    model(dict(points=clouds()))
    monkeypatch.setattr(point_prior_prompt, 'get_world_size', lambda: 2)
    with pytest.raises(ValueError, match='the memory bank is empty, .* several processes cannot train; let'):
        model(dict(points=clouds()))
    logits(model, clouds())
    fill_bank(model)
    model(dict(points=clouds()))
