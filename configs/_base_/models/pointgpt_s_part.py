"""PointGPT-S for part segmentation, with the decoder of Point-MAE.

The generator is in the published files, but its loss is not used there; tuned configs leave it out.
"""
_base_ = 'pointgpt_s.py'
model = dict(
    type='PartSegmentor',
    backbone=dict(hidden_norm=True, drop_path_rate=0.1),
    head=dict(_delete_=True, type='PlainPartSegHead', hidden_layers=(3, 7, 11)),
    auxiliary_head=dict(loss_weight=0.0))
