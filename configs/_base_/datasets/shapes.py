"""The built-in procedural shapes; needs no download."""
dataset_type = 'ProceduralShapes'
num_classes = 16

data_preprocessor = dict(
    type='PointDataPreprocessor',
    num_points=1024,
    augments=[
        dict(type='ShufflePoints'),
        dict(type='RandomScaleTranslate', scale=(0.8, 1.25), translate=0.1)])

train_dataloader = dict(
    batch_size=32,
    num_workers=0,  # the clouds are in memory and augmented on the training device
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, num_samples=2000, split='train'))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, num_samples=320, split='val'))
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, num_samples=800, split='test'))

val_evaluator = dict(type='ClassificationAccuracy')
test_evaluator = dict(type='ClassificationAccuracy')
