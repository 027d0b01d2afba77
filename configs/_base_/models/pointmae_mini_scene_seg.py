"""The mini Point-MAE for scene segmentation: blocks of a room in place of objects, 128 groups, and a small decoder."""
_base_ = 'pointmae_mini_part.py'
model = dict(
    type='SceneSegmentor',
    backbone=dict(num_groups=128),
    head=dict(
        _delete_=True,
        type='PropagationSceneSegHead',
        stages=((0, 1, 3), ),
        propagation_dims=(256, 128),
        dims=(128, 128)))
