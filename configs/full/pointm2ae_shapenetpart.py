"""Full fine-tuning of Point-M2AE, ShapeNetPart."""
parts = dict(backbone='pointm2ae', task='shapenetpart', method='full')
