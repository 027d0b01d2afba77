"""Arguments for mmcv's point operations."""

import torch
from mmcv import ops


def rows(tensor):
    """Numbers in lists, for the references."""
    return tensor.double().tolist()


def cloud(kind, num_points, seed=0, batch=2):
    """Clouds (B, N, 3); all but the random ones have exact distances, many of them equal."""
    generator = torch.Generator().manual_seed(seed)
    if kind == 'random':
        return torch.rand(batch, num_points, 3, generator=generator) * 4
    points = torch.randint(-2, 3, (batch, num_points, 3), generator=generator).float()
    if kind == 'duplicates':
        points = points[:, torch.randint(0, num_points // 3, (num_points,), generator=generator)].contiguous()
    return points[:, :1].repeat(1, num_points, 1) if kind == 'identical' else points


def boxes(batch=2, num_boxes=12, seed=0):
    """Rotated boxes (B, T, 7) that overlap."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(batch, num_boxes, 7, generator=generator)
    return values * torch.tensor([4, 4, 3, 2, 2, 2, 12.0]) + torch.tensor([0, 0, -1, 0.5, 0.5, 0.5, -6.0])


def selection(dtype=torch.float32):
    """Features (2, 4, 9), index (2, 5, 3) with repetitions, weights (2, 5, 3)."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 4, 9, generator=generator, dtype=dtype)
    index = torch.randint(0, 9, (2, 5, 3), generator=generator, dtype=torch.int32)
    return features, index, torch.rand(2, 5, 3, generator=generator, dtype=dtype)


def calls():
    """Each operation with arguments that suit it: (its module, name of the kernel, call)."""
    points = cloud('random', 600)
    centers = points[:, :128].contiguous()
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(2, 8, 600, generator=generator)
    index = torch.randint(0, 600, (2, 128, 3), generator=generator, dtype=torch.int32)
    weight, distance = torch.rand(2, 128, 3, generator=generator), torch.rand(2, 90, 90, generator=generator)
    return [
        (
            'furthest_point_sample',
            'furthest_point_sampling_forward',
            ops.furthest_point_sample,
            (points, 128),
        ),
        (
            'furthest_point_sample',
            'furthest_point_sampling_with_dist_forward',
            ops.furthest_point_sample_with_dist,
            (distance, 30),
        ),
        ('ball_query', 'ball_query_forward', ops.ball_query, (0.0, 0.6, 16, points, centers)),
        ('ball_query', 'ball_query_forward', ops.ball_query, (0.3, 0.6, 16, points, centers)),
        ('three_nn', 'three_nn_forward', ops.three_nn, (points, centers)),
        ('knn', 'knn_forward', ops.knn, (16, points, centers)),
        ('gather_points', 'gather_points_forward', ops.gather_points, (features, index[..., 0].contiguous())),
        ('group_points', 'group_points_forward', ops.grouping_operation, (features, index)),
        ('three_interpolate', 'three_interpolate_forward', ops.three_interpolate, (features, index, weight)),
        ('points_in_boxes', 'points_in_boxes_all_forward', ops.points_in_boxes_all, (points, boxes())),
        ('points_in_boxes', 'points_in_boxes_part_forward', ops.points_in_boxes_part, (points, boxes())),
    ]


def to(arguments, device):
    return [argument.to(device) if isinstance(argument, torch.Tensor) else argument for argument in arguments]
