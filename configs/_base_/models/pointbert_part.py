"""Point-BERT for part segmentation: 128 groups, and a decoder of graph convolutions."""
_base_ = 'pointbert.py'
model = dict(
    type='PartSegmentor',
    backbone=dict(num_groups=128),
    head=dict(_delete_=True, type='GraphPartSegHead', hidden_layers=(3, 7, 11)))
