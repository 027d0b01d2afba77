"""VoteNet (Qi et al., ICCV 2019) of mmdet3d, seeds from a pre-trained transformer; head and losses as in mmdet3d's config.

The encoder's parts come from the backbone, the numbers of classes and sizes from the dataset.
"""
_base_ = '../detection_runtime.py'
tags = ('detection', )
model = dict(
    type='mmdet3d.VoteNet',
    _scope_='mmdet3d',
    data_preprocessor=dict(type='Det3DDataPreprocessor'),
    backbone=dict(
        type='point_peft.SceneEncoder',
        _scope_='point_peft',
        backbone='${backbone}',
        neck=dict(type='SeedNeck', out_channels=256),
        extra_channels=1),
    bbox_head=dict(
        type='VoteHead',
        num_classes='${num_classes}',
        bbox_coder=dict(
            type='PartialBinBasedBBoxCoder',
            num_sizes='${box_coder.num_sizes}',
            num_dir_bins='${box_coder.num_dir_bins}',
            with_rot='${box_coder.with_rot}',
            mean_sizes='${box_coder.mean_sizes}'),
        vote_module_cfg=dict(
            in_channels=256,
            vote_per_seed=1,
            gt_per_seed=3,
            conv_channels=(256, 256),
            conv_cfg=dict(type='Conv1d'),
            norm_cfg=dict(type='BN1d'),
            norm_feats=True,
            vote_loss=dict(type='ChamferDistance', mode='l1', reduction='none', loss_dst_weight=10.0)),
        vote_aggregation_cfg=dict(
            type='PointSAModule',
            num_point=256,
            radius=0.3,
            num_sample=16,
            mlp_channels=[256, 128, 128, 128],
            use_xyz=True,
            normalize_xyz=True),
        pred_layer_cfg=dict(in_channels=128, shared_conv_channels=(128, 128), bias=True),
        objectness_loss=dict(
            type='mmdet.CrossEntropyLoss', class_weight=[0.2, 0.8], reduction='sum', loss_weight=5.0),
        center_loss=dict(
            type='ChamferDistance', mode='l2', reduction='sum', loss_src_weight=10.0, loss_dst_weight=10.0),
        dir_class_loss=dict(type='mmdet.CrossEntropyLoss', reduction='sum', loss_weight=1.0),
        dir_res_loss=dict(type='mmdet.SmoothL1Loss', reduction='sum', loss_weight=10.0),
        size_class_loss=dict(type='mmdet.CrossEntropyLoss', reduction='sum', loss_weight=1.0),
        size_res_loss=dict(type='mmdet.SmoothL1Loss', reduction='sum', loss_weight=10.0 / 3.0),
        semantic_loss=dict(type='mmdet.CrossEntropyLoss', reduction='sum', loss_weight=1.0)),
    train_cfg=dict(pos_distance_thr=0.3, neg_distance_thr=0.6, sample_mode='vote'),
    test_cfg=dict(sample_mode='seed', nms_thr=0.25, score_thr=0.05, per_class_proposal=True))
when = {'not full': dict(model=dict(backbone=dict(peft='${peft}')))}
