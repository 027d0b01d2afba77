"""The head of 3DETR: queries at places of the scene that a decoder turns into boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.layers import MLP, DetrTransformerDecoder
from mmdet3d.models.dense_heads.base_conv_bbox_head import BaseConvBboxHead
from mmdet3d.registry import TASK_UTILS
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from ..io.errors import InvalidValueError
from ..ops import farthest_point_sample, gather
from ..registry import MODELS
from .box_selection import select_boxes
from .position_embedding import FourierEmbedding
from .set_loss import Prediction, SetLoss

MIN_EXTENT = 0.1
"""Metres that a scene extends at least along every axis, so that fractions of it are finite; as in 3DETR."""

NUM_CENTER_AND_SIZE = 6
"""Numbers that give the center and the size of a box."""


@MODELS.register_module()
class Detr3DHead(BaseModule):
    """Query decoder, boxes and set loss of 3DETR (Misra et al., ICCV 2021, arXiv 2109.08141, section 3).

    Queries are farthest point samples of the seeds. They start as zeros; what tells them apart is the embedding of
    their place. After every decoder layer the same two branches predict class and box. The numbers in this list are
    those of the published training scripts, for ScanNet / SUN RGB-D where these differ.

    Where this differs from the original: layers are mmdet's, which norm after attention and feed-forward network, not
    before; mmdet3d's branches are one for the class and one for the box, without dropout, not one for every part of the
    box; the scene's extent is that of the seeds, not of all points.

    Args:
        num_classes (int): Number of classes.
        bbox_coder (dict): Config of mmdet3d's ``GroupFree3DBBoxCoder`` with ``size_cls_agnostic=True``.
        decoder (dict): Arguments of mmdet's ``DetrTransformerDecoder``: 8 layers, 256 channels, 4 heads, 256 hidden
            channels, dropout 0.1.
        pred_layer_cfg (dict): Arguments of mmdet3d's ``BaseConvBboxHead``: two hidden layers of 256.
        losses (dict): Configs of mmdet's losses by name; None leaves one out.

            - ``loss_cls``: class; cross-entropy, weight 1.
            - ``loss_center``: center, in fractions of the scene's extent; L1, weight 5.
            - ``loss_size``: size, in fractions of the scene's extent; L1, weight 1.
            - ``loss_dir_class``: bin of the direction, for rotated boxes; cross-entropy, weight 0.1.
            - ``loss_dir_res``: residual in half widths of a bin, for rotated boxes; Huber, weight 0.5.
            - ``loss_iou``: extents, for boxes without rotation; generalised IoU, weight 1 / none.
        no_object_weight (float): Weight of the class "no object", 0.25 / 0.1.
        num_queries (int): 256 / 128.
        position_scale (float): Standard deviation of the Fourier embedding's frequencies, 1.
        center_range (float): Metres, 1; a center is at most half of it from its query, along every axis.
        train_cfg (dict | None): ``assigner``, config of mmdet's ``HungarianAssigner``; costs: class 1, generalised IoU
            2 / 3, center 0 / 5, objectness 0 / 5. Needed for the loss.
        test_cfg (dict | None): Arguments of :func:`select_boxes`.
        init_cfg (dict | None): How weights are initialised.

    Raises:
        ValueError: The box coder predicts one size per class.
    """

    def __init__(
        self,
        num_classes: int,
        bbox_coder: dict[str, Any],
        decoder: dict[str, Any],
        pred_layer_cfg: dict[str, Any],
        losses: dict[str, dict[str, Any] | None],
        *,
        no_object_weight: float = 0.25,
        num_queries: int = 256,
        position_scale: float = 1.0,
        center_range: float = 1.0,
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_classes = num_classes
        self.num_queries = num_queries
        self.center_range = center_range
        self.test_cfg = dict(test_cfg or {})
        self.bbox_coder = TASK_UTILS.build(bbox_coder)
        if not self.bbox_coder.size_cls_agnostic:
            raise InvalidValueError(
                '3DETR predicts one size for all classes; set bbox_head.bbox_coder.size_cls_agnostic=True.'
            )
        self.set_loss: SetLoss | None = None
        if train_cfg:
            assigner = TASK_UTILS.build(train_cfg['assigner'])
            self.set_loss = SetLoss(num_classes, self.bbox_coder, assigner, losses, no_object_weight)
        self._build_layers(decoder, pred_layer_cfg, position_scale)

    def _build_layers(
        self, decoder: dict[str, Any], pred_layer_cfg: dict[str, Any], position_scale: float
    ) -> None:
        """Build what has parameters."""
        self.decoder = DetrTransformerDecoder(**decoder)
        channels = self.decoder.embed_dims
        self.position = FourierEmbedding(channels, position_scale)
        self.query_position = MLP(channels, channels, channels, num_layers=2)
        self.predictor = BaseConvBboxHead(
            **pred_layer_cfg,
            num_cls_out_channels=self.num_classes + 1,
            num_reg_out_channels=NUM_CENTER_AND_SIZE + 2 * self.bbox_coder.num_dir_bins,
        )

    def forward(self, feats_dict: dict[str, Sequence[Tensor]]) -> list[Prediction]:
        """Predict boxes.

        Args:
            feats_dict (dict): ``fp_xyz[-1]`` (B, S, 3), places of the seeds in metres, and ``fp_features[-1]``
                (B, C, S), as the necks and backbones of mmdet3d's indoor detectors give them.

        Returns:
            list[dict]: For every decoder layer ``logits`` (B, Q, num_classes + 1), "no object" last; ``center`` and
            ``size`` (B, Q, 3) in metres; ``dir_class``, ``dir_res_norm`` (in half widths of a bin) and ``dir_res``
            (radians), (B, Q, num_dir_bins); ``extent`` (B, 1, 3), metres of the scene along the axes.

        Raises:
            ValueError: There are fewer seeds than queries, or features of another width than the decoder's.
        """
        seeds, features = feats_dict['fp_xyz'][-1], feats_dict['fp_features'][-1]
        self._check(seeds, features)
        queries = gather(seeds, farthest_point_sample(seeds, self.num_queries))
        low, high = seeds.amin(dim=1, keepdim=True), seeds.amax(dim=1, keepdim=True)
        extent = (high - low).clamp(min=MIN_EXTENT)  # (B, 1, 3)
        query_position = self.query_position(self.position((queries - low) / extent))
        states = self.decoder(
            query=torch.zeros_like(query_position),
            key=features.mT,
            value=features.mT,
            query_pos=query_position,
            key_pos=self.position((seeds - low) / extent),
            key_padding_mask=None,
        )  # (layers, B, Q, C)
        logits, parameters = self.predictor(states.flatten(0, 1).mT)
        return [
            self.predict_boxes(*outputs, queries, extent)
            for outputs in zip(logits.chunk(len(states)), parameters.chunk(len(states)))
        ]

    def predict_boxes(
        self, logits: Tensor, parameters: Tensor, queries: Tensor, extent: Tensor
    ) -> Prediction:
        """What the outputs of the two branches say, for queries (B, Q, 3) in scenes of an extent (B, 1, 3)."""
        # Of the coder's split, the order of the channels and the angles are used. It takes the first class channel
        # for an objectness, where 3DETR has "no object" as the last class, and does not bound center and size.
        parts = self.bbox_coder.split_pred(logits, parameters.float(), queries)
        offset = self.center_range * (parts['center_residual'].sigmoid() - 0.5)
        prediction = {name: parts[name] for name in ('dir_class', 'dir_res_norm', 'dir_res')}
        return dict(
            prediction,
            logits=logits.mT.float(),
            center=queries + offset,
            size=parts['size'].sigmoid() * extent,
            extent=extent,
        )

    def loss(
        self,
        points: Sequence[Tensor],
        feats_dict: dict[str, Sequence[Tensor]],
        batch_data_samples: Sequence[Any],
    ) -> dict[str, Tensor]:
        """Losses by name, from features as in :meth:`forward` and ``gt_instances_3d`` of the data samples.

        Raises:
            RuntimeError: The head was built without ``train_cfg``.
        """
        if self.set_loss is None:
            raise RuntimeError('the head has no loss; set model.train_cfg, which has the assigner.')
        return self.set_loss(self(feats_dict), [sample.gt_instances_3d for sample in batch_data_samples])

    def predict(
        self,
        points: Sequence[Tensor],
        feats_dict: dict[str, Sequence[Tensor]],
        batch_data_samples: Sequence[Any],
    ) -> list[InstanceData]:
        """Boxes of the last decoder layer for every scene, as :func:`select_boxes` leaves them.

        Args:
            points (Sequence[Tensor]): Points (N, 3 + D) of every scene, in metres.
            feats_dict (dict): As in :meth:`forward`.
            batch_data_samples (Sequence): With the meta field ``box_type_3d``.
        """
        prediction = self(feats_dict)[-1]
        scores = prediction['logits'].softmax(dim=-1)[..., :-1]
        results = []
        for sample, boxes, probabilities, scene in zip(
            batch_data_samples, self.bbox_coder.decode(prediction), scores, points
        ):
            boxes_3d = sample.metainfo['box_type_3d'](
                boxes, with_yaw=self.bbox_coder.with_rot, origin=(0.5, 0.5, 0.5)
            )
            results.append(select_boxes(boxes_3d, probabilities, scene, **self.test_cfg))
        return results

    def _check(self, seeds: Tensor, features: Tensor) -> None:
        """Refuse features that the decoder cannot read."""
        if seeds.shape[1] < self.num_queries:
            raise InvalidValueError(
                f'{self.num_queries} queries are picked among {seeds.shape[1]} seeds; lower '
                'model.bbox_head.num_queries, or raise the number of groups of the backbone.'
            )
        if features.shape[1] != self.decoder.embed_dims:
            raise InvalidValueError(
                f'the features have {features.shape[1]} channels, but the decoder has {self.decoder.embed_dims}; '
                'set model.backbone.neck.out_channels to that.'
            )
