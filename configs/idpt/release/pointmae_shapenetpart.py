"""IDPT on Point-MAE, ShapeNetPart, as published: prompts without edge convolutions, which the decoder reads.

For the authors' checkpoints; convert them first with tools/model_converters/convert_official.py.
"""
custom_imports = dict(imports=['point_peft.release'])
parts = dict(backbone='pointmae', task='shapenetpart', method='idpt')
peft = dict(methods={'0': dict(type='ReleaseIDPT', layers=(3, 7, 11), num_convs=0, stay=False)})
model = dict(head=dict(type='ReleaseIDPTPartSegHead'))
