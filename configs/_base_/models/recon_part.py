"""ReCon for part segmentation: the decoder of Point-MAE, which also sees the global tokens."""
_base_ = 'recon.py'
model = dict(
    type='PartSegmentor',
    head=dict(_delete_=True, type='PlainPartSegHead', hidden_layers=(3, 7, 11), prefix=True))
