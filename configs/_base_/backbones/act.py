"""ACT, full size; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md).

It is Point-MAE's network, whose class token decoders keep.
"""
_base_ = 'pointmae.py'
backbone = dict(type='ACT', init_cfg=dict(checkpoint='checkpoints/act_pretrain.pth'))
when = {'part_seg or scene_seg': dict(backbone=dict(class_token=True))}
