import pytest
import torch

from point_peft.ops.checks import at_least_float32, check_clouds, check_count, check_same_batch


@pytest.mark.parametrize('shape', [(8, 3), (2, 8, 4), (2, 3, 8), (2, 0, 3), (1, 2, 8, 3)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match=rf'^points has shape \({shape[0]}, .*expected \(B, N, 3\).*stack'):
        check_clouds('points', torch.zeros(shape))


def test_integer_coordinates_are_refused():
    with pytest.raises(ValueError, match=r'query has dtype torch\.int64, expected floating point'):
        check_clouds('query', torch.zeros(2, 8, 3, dtype=torch.int64))


def test_batches_of_different_length_are_refused_even_where_they_would_broadcast():
    with pytest.raises(ValueError, match='a holds 1 samples but b holds 4'):
        check_same_batch('a', torch.zeros(1, 8, 3), 'b', torch.zeros(4, 8, 3))


@pytest.mark.parametrize('count', [0, -1])
def test_a_count_below_one_is_named(count):
    with pytest.raises(ValueError, match=f'num_groups={count}, expected at least 1'):
        check_count('num_groups', count)


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_precision_is_raised_but_never_lowered(given, expected):
    assert at_least_float32(torch.zeros(1, 1, 3, dtype=given)).dtype == expected
    check_clouds('points', torch.zeros(1, 1, 3, dtype=given))
