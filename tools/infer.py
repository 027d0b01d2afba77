"""Classify clouds or meshes, or segment their parts: ``python tools/infer.py CHECKPOINT FILE_OR_DIRECTORY ...``.

The config is that of the training, which the checkpoint holds; another one can be given before the checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from point_peft.apis.answers import Answer, class_names
from point_peft.apis.inferencer import Inferencer
from point_peft.apis.inputs import check_exists
from point_peft.apis.model_files import is_checkpoint
from point_peft.apis.prediction_tables import class_table, part_table, result_rows
from point_peft.cli.arguments import at_least, check_output, device, file_or_url, path
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.datasets.readers import SUFFIXES
from point_peft.engine.runtime.device import check_device
from point_peft.io.errors import ConfigError
from point_peft.io.progress import plain_console
from point_peft.io.rows import check_format, write_rows
from point_peft.io.text import printable

MOST_FILES = 20
"""Files in the table on the screen, where all are written to a file."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Classify files of clouds or meshes, or segment their parts',
        usage='%(prog)s [options] [CONFIG] CHECKPOINT FILE [FILE ...]',
    )
    parser.add_argument(
        'given',
        nargs='+',
        metavar='[CONFIG] CHECKPOINT FILE',
        help='checkpoint or adapter, which has its memory bank beside it; then clouds, meshes '
        f'({" ".join(SUFFIXES)}) and directories of them. Before the checkpoint, the config it was trained with, if '
        'that in the checkpoint is not to be used',
    )
    parser.add_argument(
        '--out', type=path, metavar='FILE', help='write all predictions to a file that ends in .csv or .json'
    )
    parser.add_argument(
        '--top-k', type=at_least(1), default=5, help='classes to print for each file (default: 5)'
    )
    parser.add_argument(
        '--category', metavar='NAME_OR_INDEX', help='what the objects are, if their parts are to be segmented'
    )
    parser.add_argument(
        '--normalize',
        choices=['unit_sphere', 'none'],
        help='center and scale the clouds, or keep their coordinates, whatever the test set of the config does '
        '(default: what it does)',
    )
    parser.add_argument(
        '--png', type=path, metavar='PICTURE', help='draw the clouds with their classes or parts'
    )
    parser.add_argument(
        '--html', type=path, metavar='PAGE', help='the same as a page to turn the clouds in a browser'
    )
    parser.add_argument('--device', type=device, default='cpu', help='cpu (default), cuda, cuda:1 ..., auto')
    add_config_options(parser)
    args = parser.parse_intermixed_args()
    given = vars(args).pop('given')
    with_config = not is_checkpoint(given[0])
    args.config = given[0] if with_config else None
    named = given[1:] if with_config else given
    if len(named) < 2:
        parser.error('give a checkpoint, and at least one file or directory.')
    args.checkpoint, args.files = file_or_url(named[0]), [path(text) for text in named[1:]]
    return args


def main(args: argparse.Namespace) -> None:
    """Read the files, predict classes or parts; print, and write and draw if asked, what was found."""
    if args.top_k < 1:
        raise ConfigError(f'--top-k {args.top_k} prints nothing; give at least 1.')
    check_device(args.device)
    check_exists(*args.files)
    for file, flag in ((args.png, '--png'), (args.html, '--html'), (args.out, '--out')):
        if file is not None:
            check_output(file, flag)
    if args.out is not None:
        check_format(args.out, '--out')
    given = [args.checkpoint] if args.config is None else [args.config, args.checkpoint]
    inferencer = Inferencer(*given, device=args.device, normalize=args.normalize, options=args.cfg_options)
    answers = inferencer.answers(args.files, category=args.category, show_progress=True)
    answers = list({answer.source: answer for answer in answers}.values())
    done = [answer for answer in answers if answer.problem is None]
    on_screen = done if args.out is None else done[:MOST_FILES]
    plain_console().print(result_table(on_screen, inferencer.meta, args.top_k))
    for answer in answers:
        if answer.problem is not None:
            print(f'passed over: {printable(answer.problem)}', file=sys.stderr)
    if args.out is not None:
        write_rows(args.out, table_rows(answers, inferencer.meta, in_full=args.out.suffix == '.json'))
        print(f'{printable(args.out)}: {len(done)} files, {len(answers) - len(done)} passed over')
    draw(args, done, inferencer.meta)


def result_table(answers: Sequence[Answer], meta: Mapping[str, Any], top_k: int) -> Table:
    """The classes or parts of every file.

    Raises:
        ConfigError: The model gives something else.
    """
    files = [answer.source for answer in answers]
    samples = [answer.sample for answer in answers if answer.sample is not None]
    if all('pred_part' in sample for sample in samples):
        return part_table(files, [sample.pred_part for sample in samples], meta.get('parts') or ())
    if all('pred_scores' in sample for sample in samples):
        scores = [sample.pred_scores for sample in samples]
        return class_table(files, scores, class_names(meta, len(scores[0])), top_k)
    raise ConfigError(
        'the model gives neither classes nor parts, which is what this tool prints; use point_peft.apis.Inferencer.'
    )


def table_rows(answers: Sequence[Answer], meta: Mapping[str, Any], *, in_full: bool) -> list[dict[str, Any]]:
    """Rows for ``--out``, in the order of the files; those of files that cannot be used have the reason only."""
    rows = {
        answer.source: result_rows(answer, meta, parts_in_full=in_full)
        for answer in answers
        if answer.problem is None
    }
    empty = dict.fromkeys(next(iter(rows.values()))[0])
    for answer in answers:
        if answer.problem is not None:
            rows[answer.source] = [{**empty, 'file': answer.source, 'error': str(answer.problem)}]
    return [row for answer in answers for row in rows[answer.source]]


def draw(args: argparse.Namespace, answers: Sequence[Answer], meta: Mapping[str, Any]) -> None:
    """Write the picture and the page that are asked for."""
    if not (args.png or args.html):
        return
    # A run that draws nothing need not wait for the libraries that draw.
    from point_peft.apis.pictures import shown
    from point_peft.visualization import plot_shown, save_figure, write_page

    clouds = shown(answers, meta)
    if args.png:
        save_figure(plot_shown(clouds), args.png)
        print(printable(args.png))
    if args.html:
        write_page(clouds, args.html, title=f'predictions of {path(args.checkpoint).name}')
        print(printable(args.html))


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
