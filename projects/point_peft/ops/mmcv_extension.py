"""What mmdet3d needs of mmcv's compiled operations on a CPU, in PyTorch: nothing has to be compiled for detection.

mmcv looks its operations up in the extension ``mmcv._ext``, which only the compiled mmcv has; mmcv-lite is the same
Python code without it. After :func:`supply_extension` a module of that name is found there too. It has the two
operations with which mmdet3d measures boxes on a CPU; any other one says, when it is called, that mmcv has to be
compiled.
``point_peft.detection.portable_ops`` has those that mmcv itself knows on a GPU only.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

NAME = 'mmcv._ext'

COMPILE = 'MMCV=compiled bash tools/setup_env.sh runtime detection'
"""Command that compiles mmcv."""

SLACK = 1e-9
"""How far outside a rectangle, in its half sides, a corner still counts as on its edge."""


def supply_extension() -> None:
    """Let ``mmcv.ops`` load where mmcv is not compiled, whoever imports it first; a compiled mmcv is not touched."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())  # the last, asked only for what the others have not found


class _Finder(MetaPathFinder, Loader):
    """Finds and loads the extension."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(NAME, self) if fullname == NAME else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Extension(NAME)

    def exec_module(self, module: ModuleType) -> None:
        """The operations are looked up when they are asked for."""


class _Extension(ModuleType):
    """Stands in for mmcv's compiled module."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        return OPERATIONS.get(name) or _refuse(name)


def _refuse(name: str) -> Any:
    """An operation that is there when mmcv.ops looks for it, and cannot be called."""

    def refused(*args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"mmcv's operation {name} is not compiled here, as detection on a GPU needs it; compile mmcv: {COMPILE}"
        )

    return refused


def points_in_boxes_cpu_forward(boxes: Tensor, points: Tensor, inside: Tensor) -> None:
    """Which points are in which boxes: bottom and top belong to a box, its other sides do not.

    Args:
        boxes (Tensor): (T, 7), bottom centre, sizes, yaw.
        points (Tensor): (M, 3).
        inside (Tensor): (T, M) int32, is written: 1 inside, else 0.
    """
    center, size, yaw = boxes[:, None, :3], boxes[:, None, 3:6], boxes[:, None, 6]
    x, y, z = (points - center).unbind(-1)
    cos, sin = yaw.cos(), yaw.sin()
    half_length, half_width, half_height = (size / 2).unbind(-1)
    within = (z - half_height).abs() <= half_height
    within &= (x * cos + y * sin).abs() < half_length
    within &= (y * cos - x * sin).abs() < half_width
    inside.copy_(within)


def box_iou_rotated(
    boxes: Tensor, others: Tensor, ious: Tensor, mode_flag: int = 0, aligned: bool = False
) -> None:
    """Overlap of rectangles in the plane over their union, or over the area of the first (``mode_flag=1``).

    Args:
        boxes (Tensor): (N, 5), centre, sizes, angle in radians.
        others (Tensor): (M, 5); as many as ``boxes`` if ``aligned``.
        ious (Tensor): N * M values, or N if ``aligned``; is written.
        mode_flag (int): 0 or 1.
        aligned (bool): Whether the first is compared with the first, the second with the second.
    """
    first, second = boxes.double(), others.double()
    if not aligned:
        first, second = torch.broadcast_tensors(first[:, None], second[None])
    overlap = _overlap(first.reshape(-1, 5), second.reshape(-1, 5))
    areas = [(pair[..., 2] * pair[..., 3]).reshape(-1) for pair in (first, second)]
    whole = areas[0] if mode_flag == 1 else areas[0] + areas[1] - overlap
    ious.copy_(torch.where(whole > 0, overlap / whole, torch.zeros_like(whole)).view_as(ious))


def _overlap(first: Tensor, second: Tensor) -> Tensor:
    """Area (P,) common to pairs of rectangles (P, 5).

    Corners of the common polygon are corners of one in the other, and crossings of their edges; in the order of their
    angles about a point inside, they give its area.
    """
    origin = first[:, :2]
    first = torch.cat([torch.zeros_like(origin), first[:, 2:]], dim=1)  # near zero, where numbers are exact
    second = torch.cat([second[:, :2] - origin, second[:, 2:]], dim=1)
    corners, others = _corners(first), _corners(second)
    crossings, crosses = _crossings(corners, others)
    found = torch.cat([corners, others, crossings], dim=1)
    valid = torch.cat([_contains(second, corners), _contains(first, others), crosses], dim=1)
    count = valid.sum(1, keepdim=True)
    middle = (found * valid[..., None]).sum(1, keepdim=True) / count.clamp(min=1)[..., None]
    found = torch.where(valid[..., None], found - middle, torch.zeros_like(found))
    angle = torch.atan2(found[..., 1], found[..., 0]).masked_fill(~valid, float('inf'))
    order = angle.argsort(dim=1)
    ring = found.gather(1, order[..., None].expand_as(found))
    last = (
        torch.arange(ring.shape[1], device=ring.device) >= count
    )  # after the polygon: its first corner, no area
    ring = torch.where(last[..., None], ring[:, :1], ring)
    following = ring.roll(-1, dims=1)
    area = (ring[..., 0] * following[..., 1] - ring[..., 1] * following[..., 0]).sum(1).abs() / 2
    return torch.where(count[:, 0] > 2, area, torch.zeros_like(area))


def _corners(boxes: Tensor) -> Tensor:
    """Corners (P, 4, 2) of rectangles (P, 5), in turn."""
    signs = boxes.new_tensor([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    x, y = (signs * boxes[:, None, 2:4] / 2).unbind(-1)
    cos, sin = boxes[:, 4:].cos(), boxes[:, 4:].sin()
    return boxes[:, None, :2] + torch.stack([x * cos - y * sin, x * sin + y * cos], dim=-1)


def _contains(boxes: Tensor, points: Tensor) -> Tensor:
    """Whether points (P, 4, 2) are in rectangles (P, 5) or on their edges."""
    x, y = (points - boxes[:, None, :2]).unbind(-1)
    cos, sin = boxes[:, 4:].cos(), boxes[:, 4:].sin()
    half = boxes[:, 2:4] / 2 * (1 + SLACK) + SLACK * boxes[:, 2:4].amax(1, keepdim=True)
    return ((x * cos + y * sin).abs() <= half[:, :1]) & ((y * cos - x * sin).abs() <= half[:, 1:])


def _crossings(corners: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Where edges of two rectangles (P, 4, 2) cross: points (P, 16, 2), and whether they do (P, 16)."""
    start, edge = corners[:, :, None], (corners.roll(-1, 1) - corners)[:, :, None]
    other_start, other_edge = others[:, None], (others.roll(-1, 1) - others)[:, None]
    apart = other_start - start
    cross = _cross(edge, other_edge)
    scale = edge.norm(dim=-1) * other_edge.norm(dim=-1)
    is_parallel = cross.abs() <= SLACK * scale
    cross = cross.masked_fill(is_parallel, 1.0)
    along, other_along = _cross(apart, other_edge) / cross, _cross(apart, edge) / cross
    crosses = ~is_parallel & (along >= 0) & (along <= 1) & (other_along >= 0) & (other_along <= 1)
    return (start + along[..., None] * edge).flatten(1, 2), crosses.flatten(1)


def _cross(first: Tensor, second: Tensor) -> Tensor:
    """Signed area of the parallelogram of two vectors (..., 2)."""
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


OPERATIONS: dict[str, Any] = {
    'points_in_boxes_cpu_forward': points_in_boxes_cpu_forward,
    'box_iou_rotated': box_iou_rotated,
    'get_compiler_version': lambda: 'not available',
    'get_compiling_cuda_version': lambda: 'not available',
}
"""By the names that mmcv looks up."""
