"""Full fine-tuning of PointGPT-S, ScanObjectNN PB_T50_RS."""
parts = dict(backbone='pointgpt_s', task='scanobjnn', method='full')
