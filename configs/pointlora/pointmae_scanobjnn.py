"""PointLoRA on Point-MAE, ScanObjectNN PB_T50_RS: also for the authors' checkpoints, whose numbers it computes."""
parts = dict(backbone='pointmae', task='scanobjnn', method='pointlora')
