"""Point-M2AE for scene segmentation: blocks of a room in place of objects, every stage is decoded."""
_base_ = 'pointm2ae_part.py'
model = dict(
    type='SceneSegmentor',
    head=dict(
        _delete_=True, type='PropagationSceneSegHead', stages=((4, ), (9, ), (14, )), stage_dims=(96, 192, 384)))
