"""VPT-deep as in the code of IDPT, whose prompts have positions of their own: Point-MAE, ScanObjectNN PB_T50_RS."""
parts = dict(backbone='pointmae', task='scanobjnn', method='vpt_deep')
peft = dict(methods={'0': dict(own_positions=True)})
