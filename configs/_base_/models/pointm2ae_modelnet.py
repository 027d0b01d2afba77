"""Point-M2AE for ModelNet and other clouds of 1024 points: smaller groups, another pooling, label smoothing."""
_base_ = 'pointm2ae.py'
model = dict(backbone=dict(group_size=(16, 8, 8)), head=dict(pool=('sum',), label_smoothing=0.3))
