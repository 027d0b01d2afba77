"""Full fine-tuning of ReCon, ScanObjectNN PB_T50_RS."""
parts = dict(backbone='recon', task='scanobjnn', method='full')
