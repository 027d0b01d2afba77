"""Point-PEFT on Point-MAE, VoteNet on ScanNet."""
parts = dict(backbone='pointmae', task='votenet_scannet', method='point_peft')
