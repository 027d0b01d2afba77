"""ACT for part segmentation, with the decoder of Point-MAE."""
_base_ = 'act.py'
model = dict(
    type='PartSegmentor',
    head=dict(_delete_=True, type='PlainPartSegHead', hidden_layers=(3, 7, 11)))
