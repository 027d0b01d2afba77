"""The memory bank and its attention."""

from __future__ import annotations

import hashlib
import math
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import slow_methods
import torch
from compiled_models import needs_compiler
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.profiler import ProfilerActivity, profile

from point_peft.methods import MemoryBank, PointPriorPrompt, fitted, memory_bank
from point_peft.methods.fitted import hash_state
from point_peft.methods.memory_bank import nearest_rows


def filled(features: torch.Tensor, temperature: float = 1.0) -> MemoryBank:
    """A bank with these features."""
    bank = MemoryBank(features.shape[1], temperature=temperature).to(features.dtype)
    bank.fill(features)
    return bank


def test_by_hand() -> None:
    """Three directions in the plane; the query lies on the second, 45 degrees from the first."""
    bank = filled(torch.tensor([[2.0, 0.0], [3.0, 3.0], [0.0, -1.0]]))
    found = bank(torch.tensor([[5.0, 5.0]]), k=2)
    assert found.index.tolist() == [[1, 0]]
    torch.testing.assert_close(found.similarity, torch.tensor([[1.0, 0.5**0.5]]))
    torch.testing.assert_close(found.query, torch.tensor([[1.0, 1.0]]))  # length sqrt(2)
    torch.testing.assert_close(found.values, torch.tensor([[[1.0, 1.0], [2**0.5, 0.0]]]))
    first = 1 / (1 + math.exp(0.5**0.5 - 1))
    attended = [first + (1 - first) * 2**0.5, first]
    torch.testing.assert_close(found.attended, torch.tensor([attended]))


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(3, 30),
    dim=st.integers(2, 12),
    k=st.integers(1, 3),
    temperature=st.sampled_from([0.05, 1.0, 10.0]),
    seed=st.integers(0, 1000),
)
def test_against_loop(rows: int, dim: int, k: int, temperature: float, seed: int) -> None:
    """Same rows, similarities and means as one query at a time in numpy."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(rows, dim, dtype=torch.float64, generator=generator)
    queries = torch.randn(4, dim, dtype=torch.float64, generator=generator)
    found = filled(features, temperature)(queries, k)
    for row, query in enumerate(queries.numpy()):
        slow = slow_methods.retrieve(features.numpy(), query, k, temperature)
        assert found.index[row].tolist() == slow.index
        for name in ('similarity', 'attended', 'values', 'query'):
            np.testing.assert_allclose(getattr(found, name)[row].numpy(), getattr(slow, name), atol=1e-12)


def test_lengths_do_not_matter() -> None:
    """Neither a stored feature's length nor the query's changes what is found."""
    features, query = torch.randn(9, 4), torch.randn(2, 4)
    scale = torch.rand(9, 1) * 100 + 0.1
    plain, scaled = filled(features)(query, 3), filled(features * scale)(query * 7, 3)
    for name in vars(plain):
        torch.testing.assert_close(getattr(plain, name), getattr(scaled, name))


def test_low_temperature_takes_the_nearest() -> None:
    """In the limit the attended feature is the most similar one."""
    found = filled(torch.randn(9, 4), temperature=1e-4)(torch.randn(2, 4), 5)
    torch.testing.assert_close(found.attended, found.values[:, 0], atol=1e-3, rtol=0)


def test_batch_does_not_matter() -> None:
    """Each query is answered alone."""
    bank, queries = filled(torch.randn(20, 6)), torch.randn(5, 6)
    together = bank(queries, 3)
    for row in range(5):
        alone = bank(queries[row : row + 1], 3)
        assert torch.equal(alone.index[0], together.index[row])
        torch.testing.assert_close(alone.attended[0], together.attended[row])


def test_beside_itself() -> None:
    """A row finds all that its key finds but itself, also where another row is equal to it and comes before it."""
    features = torch.randn(12, 6)
    features[7] = 3 * features[2]
    bank, rows = filled(features), torch.tensor([0, 2, 7])
    found, whole = bank.beside(rows, 4), bank(features[rows], 5)
    torch.testing.assert_close(found.query, whole.query)
    for sample, row in enumerate(rows.tolist()):
        others = [index for index in whole.index[sample].tolist() if index != row]
        assert found.index[sample].tolist() == others
        keys = torch.nn.functional.normalize(features, dim=1)
        expected = keys[others] @ keys[row]
        torch.testing.assert_close(found.similarity[sample], expected)
        mean = (expected.softmax(0)[:, None] * keys[others]).sum(0) * 6**0.5
        torch.testing.assert_close(found.attended[sample], mean)
    assert found.index[1, 0] == 7 and found.index[2, 0] == 2
    with pytest.raises(ValueError, match='holds 12 clouds but 13 are to be retrieved'):
        bank.beside(rows, 12)


@pytest.mark.parametrize('chunk', [1, 3, 8, 20, 64])
def test_chunks_do_not_matter(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One product with all rows, whole or in parts, of which some are smaller than the number of neighbours."""
    keys, query = torch.randn(20, 6, dtype=torch.float64), torch.randn(5, 6, dtype=torch.float64)
    expected = (query @ keys.T).topk(4, dim=1)
    monkeypatch.setattr(memory_bank, 'CHUNK_ROWS', chunk)
    similarity, index = nearest_rows(query, keys, 4)
    assert torch.equal(index, expected.indices)
    torch.testing.assert_close(similarity, expected.values, rtol=0, atol=1e-14)


def test_a_small_bank_is_compared_in_one_product() -> None:
    """The bits of the plain spelling."""
    keys, query = torch.randn(3000, 48), torch.randn(8, 48)
    torch.testing.assert_close(nearest_rows(query, keys, 8), tuple((query @ keys.T).topk(8)), rtol=0, atol=0)


@pytest.mark.parametrize('block', [1, 3, 64])
@pytest.mark.parametrize('chunk', [2, 17, 64])
@pytest.mark.parametrize('k', [1, 3, 11])
def test_of_equal_rows_the_first(k: int, chunk: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole numbers, of which nothing is rounded: the order of a stable sort, for any size of the parts."""
    monkeypatch.setattr(memory_bank, 'BLOCK', block)
    keys = torch.randint(-1, 2, (40, 2), generator=torch.Generator().manual_seed(0)).float()
    query = torch.tensor([[1.0, 2.0], [0.0, 0.0], [-1.0, 1.0]])
    expected = (query @ keys.T).sort(dim=1, descending=True, stable=True)
    monkeypatch.setattr(memory_bank, 'CHUNK_ROWS', chunk)
    similarity, index = nearest_rows(query, keys, k)
    assert torch.equal(index, expected.indices[:, :k]) and torch.equal(similarity, expected.values[:, :k])


@needs_compiler
def test_one_graph_for_all_batch_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bank of several parts, and blocks within them."""
    monkeypatch.setattr(memory_bank, 'CHUNK_ROWS', 500)
    keys = torch.randn(1200, 6)
    compiled = torch.compile(nearest_rows, backend='aot_eager', fullgraph=True)
    for batch, stance in ((3, 'default'), (7, 'fail_on_recompile')):
        query = torch.randn(batch, 6)
        torch._dynamo.mark_dynamic(query, 0)
        with torch.compiler.set_stance(stance):
            torch.testing.assert_close(compiled(query, keys, 4), nearest_rows(query, keys, 4), rtol=0, atol=0)


def test_memory_does_not_grow_with_the_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    """No block of memory is larger than the products with one part."""
    monkeypatch.setattr(memory_bank, 'CHUNK_ROWS', 1024)
    keys, query = torch.randn(20_000, 4), torch.randn(16, 4)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        nearest_rows(query, keys, 3)
    assert 0 < max(event.cpu_memory_usage for event in profiled.events()) <= 16 * 1024 * 4


def test_more_neighbours_than_rows() -> None:
    """The message has both numbers and what to do."""
    with pytest.raises(ValueError, match=r'holds 3 clouds but 8 are to be retrieved; .*lower num_tokens'):
        filled(torch.randn(3, 4))(torch.randn(1, 4), 8)


@pytest.mark.parametrize('shape', [(5, 3), (5, 5), (4,), (2, 5, 4)])
def test_wrong_shape(shape: tuple[int, ...]) -> None:
    """Another dimension is refused with both shapes."""
    with pytest.raises(ValueError, match=rf'shape \({shape[0]},.*needs \(N, 4\)'):
        MemoryBank(4).fill(torch.randn(shape))


@pytest.mark.parametrize('value', [float('nan'), float('inf'), 0.0])
def test_bad_row(value: float) -> None:
    """A row that has no direction is refused by its number, and the bank stays as it was."""
    bank = filled(torch.randn(3, 4))
    before = bank.keys.clone()
    features = torch.randn(6, 4)
    features[4] = value
    with pytest.raises(ValueError, match='row 4 of the memory bank is zero or not finite'):
        bank.fill(features)
    assert torch.equal(bank.keys, before)


def with_bank(features: torch.Tensor) -> PointPriorPrompt:
    """A method on a backbone of four dimensions, with a bank of these features."""
    method = PointPriorPrompt()
    method.setup(SimpleNamespace(layers=[None], layer_dims=[4], embed_dim=4, num_groups=8))
    if len(features):
        method.bank.fill(features)
    return method


def test_load_state_dict_resizes() -> None:
    """A model takes a bank of any number of rows, but of no other dimension."""
    source, target = with_bank(torch.randn(7, 4)), with_bank(torch.empty(0, 4))
    target.load_state_dict(source.state_dict())
    assert len(target.bank) == 7 and torch.equal(target.bank.keys, source.bank.keys)
    target.load_state_dict(with_bank(torch.randn(2, 4)).state_dict())
    assert len(target.bank) == 2
    with pytest.raises(RuntimeError, match='size mismatch for bank.keys'):
        target.load_state_dict({'bank.keys': torch.randn(7, 5)})
    assert len(target.bank) == 2


def test_content_hash() -> None:
    """Depends on the features and their order, not on the device or what was there before."""
    features = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    method, expected = with_bank(features), with_bank(features).content_hash()
    assert with_bank(torch.empty(0, 4)).content_hash() == '' and len(expected) == 32
    assert method.content_hash() == method.double().content_hash() == expected
    assert expected == hashlib.blake2b(filled(features).keys.numpy().tobytes(), digest_size=16).hexdigest()
    assert with_bank(features.flip(0)).content_hash() != expected
    changed = features.clone()
    changed[2, 1] += 1e-3
    method = with_bank(features)
    method.bank.fill(changed)
    assert method.content_hash() == with_bank(changed).content_hash() != expected


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.int64])
def test_hash_in_parts(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest of all bytes in one, as in the files that there are, and without a copy of them."""
    value = (torch.randn(1000, 300, generator=torch.Generator().manual_seed(0)) * 9).to(dtype)
    wide = value.float() if dtype.is_floating_point else value
    expected = hashlib.blake2b(wide.numpy().tobytes(), digest_size=16).hexdigest()
    tracemalloc.start()
    assert hash_state(dict(keys=value)) == expected
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < value.nbytes / 4
    monkeypatch.setattr(fitted, 'HASHED_AT_ONCE', 7)
    part = dict(b=value[:2].T, a=value[0, 0])
    both = b''.join(x.contiguous().numpy().tobytes() for x in (wide[0, 0], wide[:2].T))
    assert hash_state(part) == hashlib.blake2b(both, digest_size=16).hexdigest()


def test_one_warning(log: list) -> None:
    """An empty bank says so once."""
    method = PointPriorPrompt()
    method.warn_unfitted()
    method.warn_unfitted()
    assert len(log.at('WARNING')) == 1 and 'the memory bank is empty' in log.at('WARNING')[0]
    other = PointPriorPrompt()
    other.warn_unfitted()
    assert len(log.at('WARNING')) == 2


def test_no_parameters() -> None:
    """The attention is parameter-free; keys move and cast with the model."""
    bank = filled(torch.randn(3, 4))
    assert list(bank.parameters()) == [] and bank.double().keys.dtype == torch.float64
