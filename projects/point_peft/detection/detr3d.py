"""The 3DETR-style detector: mmdet3d's single-stage flow, with a query decoder for a head."""

from __future__ import annotations

from mmdet3d.models.detectors import VoteNet

from ..registry import MODELS


@MODELS.register_module()
class Detr3D(VoteNet):
    """3DETR (Misra et al., ICCV 2021, arXiv 2109.08141) with a pre-trained point transformer as its encoder.

    The steps from points to data samples are those of mmdet3d's ``VoteNet``, which hands the points and the features of
    backbone and neck to its head; only the head, a ``Detr3DHead``, makes it a 3DETR. Nothing votes here.
    """
