"""Two trainings in one place."""

from __future__ import annotations

import random
import time
from pathlib import Path

from .scene import Scene, one_sentence


def two_at_once(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """One is refused in a sentence, and the other ends as if it had been alone."""
    first = scene.train(work_dir)
    time.sleep(rng.choice([0.0, 0.0, 0.2, 0.5]) * seconds * rng.random())
    second = scene.train(work_dir, output=work_dir.with_suffix('.second.txt'))
    codes = sorted((first.wait(), second.wait()))
    assert codes == [0, 1], f'exit codes {codes}: {first.tail()} | {second.tail()}'
    one_sentence(first if first.code else second)
    scene.check_result(work_dir)


def after_a_kill(scene: Scene, work_dir: Path, rng: random.Random, seconds: float) -> None:
    """The lock of a killed run does not keep the next one out, and one that goes on keeps a third one out."""
    child = scene.train(work_dir)
    time.sleep(rng.uniform(0.3, 0.9) * seconds)
    child.kill()
    going_on = scene.train(work_dir, '--resume', 'auto')
    time.sleep(0.3 * seconds)
    third = scene.train(work_dir, '--resume', 'auto', output=work_dir.with_suffix('.third.txt'))
    codes = (going_on.wait(), third.wait())
    assert codes == (0, 1), f'exit codes {codes}: {going_on.tail()} | {third.tail()}'
    one_sentence(third)
    scene.check_result(work_dir)
