"""ShapeNetPart in any of its layouts: 16 categories, 50 parts, 2048 points, scaled and shifted as published."""
dataset_type = 'ShapeNetPart'
data_root = 'data/ShapeNetPart'
num_classes = 16
parts_per_category = (4, 2, 2, 4, 4, 3, 3, 2, 4, 2, 6, 2, 3, 3, 3, 3)

data_preprocessor = dict(
    type='PointDataPreprocessor',
    augments=[dict(type='RandomScaleTranslate', scale=(0.8, 1.25), translate=0.1, isotropic=True)])

train_dataloader = dict(
    batch_size=16,
    num_workers=0,  # the clouds are in memory and augmented on the training device
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, num_points=2048, split='train'))
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, num_points=2048, split='val'))
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, num_points=2048, split='test'))

val_evaluator = dict(type='PartSegMetric')
test_evaluator = dict(type='PartSegMetric', per_category=True)
