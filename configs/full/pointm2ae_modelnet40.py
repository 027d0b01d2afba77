"""Full fine-tuning of Point-M2AE, ModelNet40, 1024 points."""
parts = dict(backbone='pointm2ae', task='modelnet40', method='full')
