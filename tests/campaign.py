"""What happens to trainings, many times over: ``python tests/campaign.py``.

Kills, full disks, two runs in one place, damaged and malicious files. Every case is drawn from a seed and checked
against a training that nothing happened to; the last line says how many survived. Takes some minutes on two cores,
needs no network, and as root also mounts small partitions.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from campaign import concurrent, disks, kills, poison
from campaign.children import warm_up
from campaign.scene import Scene

Case = Callable[[Scene, Path, random.Random, float], None]

KINDS: dict[str, tuple[Case, int]] = {
    'kill at a random moment': (kills.at_a_random_moment, 30),
    'kill while saving': (kills.while_saving, 30),
    'one operation fails': (disks.one_operation, 30),
    'disk full for a moment': (disks.for_a_moment, 10),
    'disk full for good': (disks.for_good, 6),
    'small partition': (disks.small_partition, 10),
    'two runs at once': (concurrent.two_at_once, 6),
    'two runs after a kill': (concurrent.after_a_kill, 4),
    'poisoned checkpoint': (poison.checkpoint_given_to_a_tool, 48),
    'poisoned newest checkpoint': (poison.newest_checkpoint, 10),
    'names of files elsewhere': (poison.names_of_files_elsewhere, 10),
    'poisoned memory bank': (poison.memory_bank, 16),
}
"""The cases by their kind, and how many of each are drawn."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Let trainings be killed, run out of disk, meet each other and poison'
    )
    parser.add_argument('--seed', type=int, default=0, help='another seed draws other cases (default: 0)')
    parser.add_argument('--jobs', type=int, default=2, help='cases at once (default: 2)')
    parser.add_argument('--share', type=float, default=1.0, help='share of the cases to draw (default: 1)')
    parser.add_argument('--only', choices=list(KINDS), help='a single kind')
    parser.add_argument('--keep', type=Path, metavar='DIR', help='directory to work in, which is kept')
    return parser.parse_args()


def main() -> int:
    """Run all cases; 0 if all survived."""
    args = parse_args()
    begin = time.monotonic()
    scratch = args.keep or Path(tempfile.mkdtemp(prefix='campaign-'))
    scene = Scene(scratch.resolve())
    os.environ.update(OMP_NUM_THREADS='1', MKL_NUM_THREADS='1')
    pool = ProcessPoolExecutor(args.jobs, mp_context=get_context('spawn'), initializer=warm_up)
    try:
        seconds = pool.submit(scene.prepare).result()
        print(f'an undisturbed training takes {seconds:.1f} s and is the same twice', flush=True)
        tried, failed = run_cases(pool, scene, args, seconds)
    finally:
        pool.shutdown(cancel_futures=True)
        if args.keep is None:
            shutil.rmtree(scratch, ignore_errors=True)
    total = sum(tried.values())
    print(f'{(time.monotonic() - begin) / 60:.1f} minutes')
    print(f'tried {total}, survived {total - failed}, failed {failed}')
    return int(failed > 0)


def run_cases(
    pool: ProcessPoolExecutor, scene: Scene, args: argparse.Namespace, seconds: float
) -> tuple[Counter[str], int]:
    """Run the cases of all kinds; how many of each were tried, and how many failed in all."""
    waiting = {}
    for kind, (_, count) in KINDS.items():
        if args.only not in (None, kind) or (kind == 'small partition' and not can_mount()):
            continue
        for number in range(max(1, round(count * args.share))):
            waiting[pool.submit(run_case, scene, kind, args.seed, number, seconds)] = kind
    wanted, tried, failures = Counter(waiting.values()), Counter(), Counter()
    for future in as_completed(waiting):
        kind, problem = waiting[future], future.result()
        tried[kind] += 1
        if problem is not None:
            failures[kind] += 1
            print(f'  {kind}: {problem}', flush=True)
        if tried[kind] == wanted[kind]:
            survived = tried[kind] - failures[kind]
            print(f'{kind}: tried {tried[kind]}, survived {survived}, failed {failures[kind]}', flush=True)
    return tried, sum(failures.values())


def run_case(scene: Scene, kind: str, seed: int, number: int, seconds: float) -> str | None:
    """Run one case; what went wrong, or None."""
    name = f'{kind.replace(" ", "_")}_{number}'
    try:
        KINDS[kind][0](scene, scene.directory / name, random.Random(f'{seed} {name}'), seconds)
    except Exception as error:  # whatever it is, it is a failure of this case, and the others go on
        return f'number {number}: {type(error).__name__}: {error}'
    for path in scene.directory.glob(f'{name}*'):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return None


def can_mount() -> bool:
    """Whether small partitions can be mounted here."""
    with tempfile.TemporaryDirectory() as place:
        mounted = (
            subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', place], capture_output=True).returncode == 0
        )
        if mounted:
            subprocess.run(['umount', place], check=True)
    return mounted


if __name__ == '__main__':
    sys.exit(main())
