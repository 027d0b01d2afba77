"""PPT on Point-MAE, ShapeNetPart, as published: prompts are copies of patch tokens, MLPs are off by one, the decoder reads both.

For the authors' checkpoints; convert them first with tools/model_converters/convert_official.py.
"""
custom_imports = dict(imports=['point_peft.release'])
parts = dict(backbone='pointmae', task='shapenetpart', method='ppt')
peft = dict(methods={'0': dict(type='ReleasePPT', group_ratio=1.0, size_ratio=1)})
model = dict(head=dict(inserted=True))
