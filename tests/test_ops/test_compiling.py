"""Operations that compilers take as they are: what they announce is what they give, for any batch size."""

import pytest
import torch

from point_peft.ops import (
    chamfer_distance,
    compiling,
    farthest_point_sample,
    flat_rows,
    gather,
    greedy_order,
    knn,
    region_attention,
    region_max_pool,
    weighted_gather,
)

pytestmark = pytest.mark.skipif(not compiling.HAS_CUSTOM_OPERATORS, reason='custom operators need torch 2.4')


INDEX = torch.randint(0, 16, (7, 5, 3), generator=torch.Generator().manual_seed(1))

USES = {
    'farthest_point_sample': lambda points: farthest_point_sample(points, 5),
    'knn': lambda points: knn(points[:, :4], points, 3),
    'nearest': lambda points: chamfer_distance(points, points.flip(0)),
    'greedy_order': greedy_order,
    'gather': lambda points: gather(points, INDEX[: points.shape[0]]),
    'region_maxima': lambda points: region_max_pool(
        points,
        flat_rows(INDEX[: points.shape[0]], points.shape[1]),
        points[:, :15].unflatten(1, (5, 3))[..., :2],
        torch.ones(3, 2),
    ),
    'region_attention': lambda points: region_attention(
        points.repeat(1, 1, 4), flat_rows(INDEX[: points.shape[0]], points.shape[1]), 2
    ),
    'weighted_rows': lambda points: weighted_gather(points, INDEX[: points.shape[0]], points[:, :5]),
}


@pytest.mark.parametrize('name', USES)
def test_compiled_for_all_batch_sizes(name):
    torch._dynamo.reset()
    compiled = torch.compile(USES[name], backend='aot_eager', fullgraph=True)
    for batch, stance in ((3, 'default'), (7, 'fail_on_recompile')):
        points = torch.randn(batch, 16, 3, dtype=torch.float64)
        torch._dynamo.mark_dynamic(points, 0)
        with torch.compiler.set_stance(stance):
            assert torch.equal(compiled(points), USES[name](points))


POINTS = torch.randn(2, 16, 3)
ROWS = torch.randint(0, 32, (10, 3))
ARGUMENTS = {
    'farthest_point_sample': (POINTS, 5),
    'knn': (POINTS[:, :4], POINTS, 3),
    'nearest': (POINTS, POINTS.flip(0)),
    'greedy_order': (POINTS,),
    'region_maxima': (POINTS.flatten(0, 1), ROWS, torch.randn(10, 3, 2), torch.randn(3, 2)),
    'region_maxima_and_places': (
        POINTS.flatten(0, 1),
        ROWS,
        torch.randn(10, 3, 2),
        torch.randn(3, 2),
    ),
    'region_gradients': (
        torch.randn(10, 3),
        32,
        ROWS,
        torch.randint(0, 3, (10, 3), dtype=torch.uint8),
        torch.randn(10, 3, 2),
        torch.randn(3, 2),
    ),
    'weighted_rows': (POINTS.flatten(0, 1), ROWS, torch.rand(10, 3)),
    'weighted_rows_gradient': (torch.randn(10, 4), 32, ROWS, torch.rand(10, 3)),
}


@pytest.mark.parametrize('name', ARGUMENTS)
def test_an_operator_announces_its_result(name):
    operator = getattr(torch.ops.point_peft, name).default
    torch.library.opcheck(operator, ARGUMENTS[name], test_utils=('test_schema', 'test_faketensor'))


def test_a_compiled_graph_stops_at_an_index_of_the_next_sample():
    compiled = torch.compile(gather, backend='aot_eager', fullgraph=True)
    with pytest.raises(RuntimeError, match='an index is outside \\[0, 5\\)'):
        compiled(torch.zeros(2, 5, 3), torch.tensor([[5], [0]]))


def test_a_trace_sees_plain_torch():
    traced = torch.jit.trace(lambda points: farthest_point_sample(points, 3), POINTS)
    assert 'point_peft::' not in str(traced.graph)
    assert torch.equal(traced(POINTS), farthest_point_sample(POINTS, 3))


def test_two_operators_of_one_name() -> None:
    """Refused, since torch would call the later one for both."""

    def weighted_rows(points: torch.Tensor) -> torch.Tensor:
        return points

    with pytest.raises(ValueError, match='point_peft::weighted_rows already'):
        compiling.opaque('(Tensor points) -> Tensor', torch.clone)(weighted_rows)
