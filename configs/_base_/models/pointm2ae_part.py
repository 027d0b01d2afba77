"""Point-M2AE for part segmentation: every stage is decoded, closed with its pre-trained norm."""
_base_ = 'pointm2ae_modelnet.py'
model = dict(
    type='PartSegmentor',
    backbone=dict(stage_norms=True, new_norm=False),
    head=dict(_delete_=True, type='HierarchicalPartSegHead', hidden_layers=(4, 9, 14)))
