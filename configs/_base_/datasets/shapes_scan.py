"""The built-in procedural shapes as a depth camera would see them; needs no download."""
_base_ = 'shapes.py'

data_preprocessor = dict(
    augments=[
        dict(type='ShufflePoints'),
        dict(type='RandomScale', scale=(0.9, 1.1)),
        dict(type='RandomRotate', axis='y')])

train_dataloader = dict(dataset=dict(scan=True))
val_dataloader = dict(dataset=dict(scan=True))
test_dataloader = dict(dataset=dict(scan=True))
