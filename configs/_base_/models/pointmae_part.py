"""Point-MAE for part segmentation: without class token, decoded from blocks 4, 8 and 12."""
_base_ = 'pointmae.py'
model = dict(
    type='PartSegmentor',
    backbone=dict(class_token=False),
    head=dict(_delete_=True, type='PlainPartSegHead', hidden_layers=(3, 7, 11)))
