"""VPT-deep on the mini Point-MAE, ModelNet10, 1024 points."""
parts = dict(backbone='pointmae_mini', task='modelnet10', method='vpt_deep')
