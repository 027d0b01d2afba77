"""Full fine-tuning of PointGPT-S, ShapeNetPart."""
parts = dict(backbone='pointgpt_s', task='shapenetpart', method='full')
