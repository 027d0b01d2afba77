"""Hook that reports on the test of a classifier in full."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import collect_results, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from ...evaluation.class_report import ClassReport, Prediction
from ...io.errors import ConfigError
from ...io.shipped import call_of
from ...io.spared import spared
from ...registry import HOOKS
from ...registry.wrappers import unwrap
from ..checkpoint import load_weights
from ..checkpoint.loading import full_state
from .own_files import BEST

RESULTS = ('best_on_val', 'last')

LAST_CHECKPOINT = 'last_ckpt'
"""Key under which the message hub has the path of the newest checkpoint."""


@HOOKS.register_module()
class ReportHook(Hook):
    """Writes accuracy with its interval, confusions, a table of the classes, all predictions and the worst mistakes.

    Of a test, that is done at its end; of a training, after it, for the checkpoint that is its result. See
    :func:`~point_peft.visualization.class_report.write_class_report` for the files.

    Args:
        out_dir (str | None): Directory for the files; None means ``report`` in the work dir.
        result (str): Which checkpoint of a training counts: ``best_on_val``, or ``last`` where validation has too few
            objects to choose by.

    Raises:
        ConfigError: ``result`` is neither, or the model does not classify.
    """

    priority = 'LOWEST'  # after the hooks that save, and that write the protocol

    def __init__(self, out_dir: str | None = None, *, result: str = 'best_on_val') -> None:
        if result not in RESULTS:
            raise ConfigError(f'ReportHook result={result!r} is unknown; give one of {", ".join(RESULTS)}.')
        self.out_dir = out_dir
        self.result = result
        self._trained = self._is_due = False
        self._about: dict[str, Any] = {}
        self._found: list[tuple[int, Prediction]] = []

    def before_train(self, runner: Runner) -> None:
        """Report after the training, and on no test in the midst of it."""
        self._trained = True

    def before_test(self, runner: Runner) -> None:
        """Begin anew."""
        self._found = []
        self._is_due = not self._trained or bool(self._about)
        if not self._trained:
            self._about = dict(checkpoint=str(runner._load_from or ''))

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        """Keep the predictions."""
        for sample in outputs or () if self._is_due else ():
            if 'pred_scores' not in sample or 'gt_label' not in sample:
                raise ConfigError(
                    'a report (--report) is for classification, but the model gives no class; leave it out.'
                )
            number = int(sample.metainfo['sample_idx'])
            scores = sample.pred_scores.detach().float().cpu().tolist()
            source = str(sample.metainfo.get('source', number))
            self._found.append((number, Prediction(source, int(sample.gt_label), scores)))

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the files."""
        if not self._is_due:
            return
        dataset = runner.test_dataloader.dataset
        found = collect_results(self._found, len(dataset))
        self._found, self._is_due = [], False
        if not is_main_process() or not found:
            return
        # Training and testing without a report need not wait for the libraries that draw.
        from ...visualization.class_report import write_class_report

        numbers = {one.source: number for number, one in found}
        classes = dataset.metainfo.get('classes') or [str(i) for i in range(len(found[0][1].scores))]
        report = ClassReport(list(map(str, classes)), [one for _, one in found])
        out_dir = Path(self.out_dir or Path(runner.work_dir, 'report'))

        def cloud_of(one: Prediction) -> np.ndarray:
            return dataset[numbers[one.source]]['inputs']['points'].numpy()[:, :3]

        runner.logger.info(report.describe())
        with spared(f'the report in {out_dir}'):
            title = Path(self._about.get('checkpoint') or 'test').name
            names = write_class_report(report, out_dir, cloud_of=cloud_of, title=title, about=self._about)
            runner.logger.info(f'{", ".join(names)} are in {out_dir}')
        if self._trained and (path := self._about.get('checkpoint')):
            runner.logger.info(
                f'to use it: {call_of("infer.py")} {path} FILES_OR_DIRECTORY --out predictions.csv'
            )

    def after_run(self, runner: Runner) -> None:
        """Test the checkpoint that is the result of a training; the model keeps its last weights."""
        if not self._trained or runner.test_loop is None:
            return
        best = runner.message_hub.get_info(BEST) if self.result == 'best_on_val' else None
        last = runner.message_hub.get_info(LAST_CHECKPOINT)
        self._about = dict(result=self.result if best else 'last', checkpoint=str(best or last or ''))
        model = unwrap(runner.model)
        state = full_state(model)
        if best:
            load_weights(model, best)
        runner.logger.info(f'the result is {self._about["checkpoint"] or "the model as it is"}')
        try:
            runner.test_loop.run()
        finally:
            model.load_state_dict(state, strict=False)
            self._trained, self._about = False, {}
