"""The mini Point-MAE for part segmentation, with a small decoder."""
_base_ = 'pointmae_mini.py'
model = dict(
    type='PartSegmentor',
    backbone=dict(class_token=False),
    head=dict(
        _delete_=True,
        type='PlainPartSegHead',
        hidden_layers=(0, 1, 3),
        propagation_dims=(256, 128),
        label_dim=32,
        dims=(128, 128)))
