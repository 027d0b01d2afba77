"""Parts of the built-in procedural shapes: 16 categories, 53 parts; needs no download."""
dataset_type = 'ProceduralParts'
num_classes = 16
parts_per_category = (4, 3, 4, 3, 3, 3, 4, 4, 3, 3, 3, 3, 4, 3, 3, 3)

data_preprocessor = dict(
    type='PointDataPreprocessor',
    augments=[dict(type='RandomScaleTranslate', scale=(0.8, 1.25), translate=0.1, isotropic=True)])

train_dataloader = dict(
    batch_size=32,
    num_workers=0,  # the clouds are in memory and augmented on the training device
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, num_points=1024, split='train', num_samples=2000))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, num_points=1024, split='val', num_samples=320))
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, num_points=1024, split='test', num_samples=800))

val_evaluator = dict(type='PartSegMetric')
test_evaluator = dict(type='PartSegMetric', per_category=True)
