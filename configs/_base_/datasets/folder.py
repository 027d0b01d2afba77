"""A directory of one's own clouds and meshes; set data_root (tools/train.py --data)."""
dataset_type = 'PointCloudFolder'
data_root = 'data/my_clouds'
num_classes = None  # those of the directory are counted

data_preprocessor = dict(
    type='PointDataPreprocessor',
    num_points=1024,
    num_candidates=1200,
    augments=[
        dict(type='ShufflePoints'),
        dict(type='RandomScaleTranslate', scale=(2 / 3, 3 / 2), translate=0.2)])

train_dataloader = dict(
    batch_size=32,
    num_workers=0,  # the clouds are prepared, and augmented on the training device
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, num_points=2048, split='train'))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, num_points=2048, split='val'))
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, num_points=2048, split='test'))

val_evaluator = dict(type='ClassificationAccuracy')
test_evaluator = dict(type='ClassificationAccuracy')
