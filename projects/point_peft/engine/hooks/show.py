"""Hook that draws test clouds with their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.dist import collect_results, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.model import BaseDataPreprocessor
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ...io.errors import ConfigError
from ...io.progress import track
from ...io.spared import spared
from ...io.text import printable
from ...registry import HOOKS

if TYPE_CHECKING:
    from ...visualization import ShownCloud

PAGE = 'clouds.html'
"""Name of the interactive page."""


@HOOKS.register_module()
class ShowHook(Hook):
    """Writes the first clouds of a test with the truth and the predictions: a picture each, and one page for all.

    The clouds are those that the model saw: they are taken from the data preprocessor's output. Where a batch goes
    through the model several times (test-time augmentation), that is the first time.

    Args:
        out_dir (str): Directory for ``cloud_000.png`` ... and ``clouds.html``.
        num_samples (int): Clouds to show.
        score_threshold (float): Score from which boxes of a detector are drawn.
        max_boxes (int): Boxes that are drawn of a detector's, those of the highest scores.
    """

    priority = 'LOW'  # after the hooks that check the data

    def __init__(
        self, out_dir: str, num_samples: int = 16, *, score_threshold: float = 0.3, max_boxes: int = 64
    ) -> None:
        if num_samples < 1:
            raise ConfigError(
                f'ShowHook num_samples={num_samples} shows nothing; give at least 1 (--show-num).'
            )
        self.out_dir = Path(out_dir)
        self.num_samples = num_samples
        self.limits: dict[str, Any] = dict(score_threshold=score_threshold, max_boxes=max_boxes)
        self._shown: list[ShownCloud] = []
        self._points: Tensor | Sequence[Tensor] | None = None
        self._handles: list[RemovableHandle] = []

    def before_test(self, runner: Runner) -> None:
        """Make the directory before the test takes its time, and start to look at what the model sees.

        Raises:
            ConfigError: The directory is a file.
        """
        if self.out_dir.exists() and not self.out_dir.is_dir():
            raise ConfigError(
                f"'{printable(self.out_dir)}' is a file; give a directory for the pictures (--show-dir)."
            )
        if is_main_process():
            self.out_dir.mkdir(parents=True, exist_ok=True)
        self._stop()
        self._shown = []
        self._handles = [
            module.register_forward_hook(self._keep_points)
            for module in runner.model.modules()
            if isinstance(module, BaseDataPreprocessor)
        ]

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Forget the batch before."""
        self._points = None

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        """Keep clouds until there are enough; processes take turns with the clouds of the data set."""
        wanted = -(-self.num_samples // get_world_size()) - len(self._shown)
        if wanted > 0 and outputs is not None and self._points is not None:
            # Training and testing without pictures need not wait for the libraries that draw.
            from ...visualization import show_sample

            meta = getattr(runner.test_dataloader.dataset, 'metainfo', None) or {}
            pairs = list(zip(outputs, self._points))[:wanted]
            self._shown += [show_sample(sample, points, meta, **self.limits) for sample, points in pairs]
        if wanted <= 0:
            self._stop()

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the files."""
        self._stop()
        clouds = collect_results(self._shown, min(self.num_samples, len(runner.test_dataloader.dataset)))
        self._shown = []
        if not clouds:
            return
        with spared(f'the pictures in {self.out_dir}'):
            self._write(clouds)
            runner.logger.info(
                f'{len(clouds)} clouds are shown in {self.out_dir} ({PAGE} opens in a browser)'
            )

    def _write(self, clouds: Sequence[ShownCloud]) -> None:
        """Draw a picture of every cloud, and the page."""
        from ...visualization import plot_shown, save_figure, write_page

        for index, cloud in enumerate(track(clouds, 'drawing clouds')):
            save_figure(plot_shown([cloud]), self.out_dir / f'cloud_{index:03d}.png')
        write_page(clouds, self.out_dir / PAGE, title='test clouds: truth and predictions')

    def _keep_points(self, module: nn.Module, args: Any, output: dict[str, Any]) -> None:
        """Note the points (B, N, 3 + D) of a prepared batch, of several the first; rooms as they are in metres."""
        if self._points is None:
            inputs = output['inputs']
            self._points = inputs.get('point_features', inputs['points'])

    def _stop(self) -> None:
        """Look no longer at what the model sees."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._points = [], None
