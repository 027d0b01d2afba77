"""Full fine-tuning of ReCon, ShapeNetPart."""
parts = dict(backbone='recon', task='shapenetpart', method='full')
