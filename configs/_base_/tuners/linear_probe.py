"""A frozen backbone and nothing else; the head is linear."""
tuner = dict(type='PEFTBackbone', hooks=[])
