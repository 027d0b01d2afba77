"""Stands in for tools/train.py: "trains" some epochs, can be stopped, and reports an accuracy made from its config."""

import argparse
import json
import time
from pathlib import Path

from mmengine.config import Config

parser = argparse.ArgumentParser()
parser.add_argument('config')
parser.add_argument('--work-dir', type=Path)
parser.add_argument('--resume')
parser.add_argument('--device')
args = parser.parse_args()
cfg = Config.fromfile(args.config)
args.work_dir.mkdir(parents=True, exist_ok=True)
state = args.work_dir / 'epochs'
done = int(state.read_text()) if state.exists() else 0
(args.work_dir / f'started_at_{done}').touch()
lr, seed = cfg.optim_wrapper.optimizer.lr, cfg.randomness.seed
if lr > 1:
    raise SystemExit('learning rate too high')
for epoch in range(done + 1, cfg.train_cfg.max_epochs + 1):
    print(f'Epoch(train)  [{epoch}][1/1]', flush=True)
    while epoch == 2 and (args.work_dir.parents[2] / 'hold').exists():
        time.sleep(0.05)
    state.write_text(str(epoch))
score = 80 + 10 * (cfg.model.get('peft') is not None) + seed % 7 - 1000 * abs(lr - 1e-3)
row = dict(
    epoch=cfg.train_cfg.max_epochs, val={'overall_accuracy': score}, test={'overall_accuracy': score - 1}
)
labels = ('last', 'best on val', 'best on test (as papers report; never used for selection)')
costs = dict(
    trainable_parameters=1000, all_parameters=9000, adapter_mb=0.5, fitted_mb=0.25, train_seconds=2.0
)
if any(hook['type'] == 'ForgettingHook' for hook in cfg.get('custom_hooks', ())):
    costs['other_task'] = dict(before=88.0, after=60.0 + seed, refitted=70.0, unchanged=False)
summary = dict(rows=[dict(row, label=label) for label in labels], history=[], peak_memory_mb=100.0, **costs)
(args.work_dir / 'protocol.json').write_text(json.dumps(summary))
