"""Show which configs there are: ``python tools/misc/list_configs.py``.

Every method, backbone and task together have a name, METHOD/BACKBONE_TASK, that all tools take as a config.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence

from rich.table import Table

from point_peft.cli.tool import run_tool
from point_peft.engine.config import Combination, part_files, reason_against
from point_peft.engine.config.names import GROUPS
from point_peft.engine.config.parts import supported
from point_peft.io.errors import ConfigError
from point_peft.io.progress import plain_console

WIDTH = 220
"""Columns of the table where no terminal says how many there are."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Show which configs there are')
    for group in ('method', 'backbone', 'task'):
        parser.add_argument(f'--{group}', nargs='+', metavar='NAME', help=f'only with these {group}s')
    parser.add_argument('--names', action='store_true', help='print the names that work, one a line')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Try every combination, and print the table or the names."""
    chosen = {group: select(group, getattr(args, group)) for group in GROUPS}
    combinations = [
        Combination(method, backbone, task)
        for task in chosen['task']
        for backbone in chosen['backbone']
        for method in chosen['method']
    ]
    if args.names:
        print('\n'.join(map(str, supported(combinations))))
        return
    reasons = {combination: reason_against(combination) for combination in combinations}
    notes = list(dict.fromkeys(reason for reason in reasons.values() if reason is not None))
    table = Table('task', *chosen['backbone'], title='METHOD/BACKBONE_TASK')
    for task in chosen['task']:
        table.add_row(task, *(cell(reasons, backbone, task, notes) for backbone in chosen['backbone']))
    console = plain_console()
    console.width = console.width if console.is_terminal else WIDTH
    console.print(table)
    console.print(f'{", ".join(chosen["method"])}: the methods; + in the table means all of these')
    for number, note in enumerate(notes, start=1):
        console.print(f'[{number}] {note}', soft_wrap=True)


def select(group: str, wanted: Sequence[str] | None) -> list[str]:
    """The parts of a group that are asked for; all if none is.

    Raises:
        ConfigError: One does not exist.
    """
    names = sorted(part_files(group))
    for name in wanted or ():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3) or names
            raise ConfigError(f"there is no {group} '{name}'; there is {', '.join(near)}.")
    return [name for name in names if wanted is None or name in wanted]


def cell(reasons: dict[Combination, str | None], backbone: str, task: str, notes: Sequence[str]) -> str:
    """Methods that work, ``+`` for all, and the numbers of the reasons why others do not."""
    here = {c.method: reason for c, reason in reasons.items() if (c.backbone, c.task) == (backbone, task)}
    works = [method for method, reason in here.items() if reason is None]
    numbers = {notes.index(reason) + 1 for reason in here.values() if reason is not None}
    methods = '+' if len(works) == len(here) else ' '.join(works)
    return ' '.join([methods, *(f'[{number}]' for number in sorted(numbers))]).strip()


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
