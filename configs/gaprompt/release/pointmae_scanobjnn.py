"""The released GAPrompt on Point-MAE, ScanObjectNN PB_T50_RS: for the authors' checkpoints, quirks included.

Convert them first with tools/model_converters/convert_official.py (docs/methods/gaprompt.md).
"""
parts = dict(backbone='pointmae', task='scanobjnn', method='gaprompt')
custom_imports = dict(imports=['point_peft.release'])
peft = dict(methods={'0': dict(type='ReleaseGAPrompt')})
model = dict(head=dict(dropout=0.6))
find_unused_parameters = True  # 27 660 of the published trainable parameters take no part
