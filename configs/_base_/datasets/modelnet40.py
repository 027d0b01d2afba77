"""ModelNet40 in either published layout, 1024 points chosen from 1200, augmented as in Point-MAE."""
dataset_type = 'ModelNet'
data_root = 'data/ModelNet40'
num_classes = 40

data_preprocessor = dict(
    type='PointDataPreprocessor',
    num_points=1024,
    num_candidates=1200,
    augments=[
        dict(type='ShufflePoints'),
        dict(type='RandomScaleTranslate', scale=(2 / 3, 3 / 2), translate=0.2)])

train_dataloader = dict(
    batch_size=32,
    num_workers=0,  # the clouds are in memory and augmented on the training device
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, max_points=8192, split='train'))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, max_points=8192, split='val'))
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, max_points=8192, split='test'))

val_evaluator = dict(type='ClassificationAccuracy')
test_evaluator = dict(type='ClassificationAccuracy')
