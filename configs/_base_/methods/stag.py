"""STAG (MVA 2025), the standard size: a side state adapts the second half of the blocks; nothing below gets a gradient."""
peft = dict(type='PEFTBackbone', methods=[dict(type='STAG', dim=192, num_neighbors=8)])
when = {
    'classification': dict(model=dict(head=dict(pool=('mean_with_prefix', )))),
    'detection': dict(model=dict(backbone=dict(extra_channels=0))),  # no gradient goes below its first block
}
