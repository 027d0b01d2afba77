"""Point operations: plain torch on any device, faster kernels where installed; callers never ask which."""

from .attention import attend, self_attention
from .bottleneck import add_bottleneck, quick_gelu
from .chamfer import chamfer_distance, chamfer_distance_l1
from .distance import squared_distance
from .fps import farthest_point_sample, farthest_point_sample_loop
from .gather import flat_rows, gather, take_rows
from .grouping import Groups, group
from .interpolation import (
    add_interpolated,
    interpolate,
    interpolate_with,
    interpolation_weights,
    three_nn,
)
from .knn import knn
from .linear import linear
from .low_rank import add_projected_up, products_with_rows, project_down
from .normed_linear import normed_linear
from .ordering import greedy_order, morton_order
from .pooling import max_pool
from .region_attention import region_attention
from .region_pooling import region_max_pool
from .weighted_gather import weighted_gather, weighted_scatter

__all__ = [
    'Groups',
    'add_bottleneck',
    'add_interpolated',
    'add_projected_up',
    'attend',
    'chamfer_distance',
    'chamfer_distance_l1',
    'farthest_point_sample',
    'farthest_point_sample_loop',
    'flat_rows',
    'gather',
    'greedy_order',
    'group',
    'interpolate',
    'interpolate_with',
    'interpolation_weights',
    'knn',
    'linear',
    'max_pool',
    'morton_order',
    'normed_linear',
    'products_with_rows',
    'project_down',
    'quick_gelu',
    'region_attention',
    'region_max_pool',
    'self_attention',
    'squared_distance',
    'take_rows',
    'three_nn',
    'weighted_gather',
    'weighted_scatter',
]
