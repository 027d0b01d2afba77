"""ReCon for scene segmentation: blocks of a room in place of objects, decoded from blocks 4, 8 and 12."""
_base_ = 'recon_part.py'
model = dict(
    type='SceneSegmentor',
    head=dict(_delete_=True, type='PropagationSceneSegHead', stages=((3, 7, 11), )))
