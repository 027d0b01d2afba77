"""Try a model on a local web page: ``python tools/demo.py [CHECKPOINT_OR_NAME]``.

Drop a file, or click an example, and see its cloud, its classes or parts, and what the memory bank retrieves.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress

from point_peft.cli.arguments import at_least, device
from point_peft.cli.tool import run_tool
from point_peft.engine.runtime.device import check_device
from point_peft.io.text import printable

PORT = 8765


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Try a model on a web page that only this machine can open')
    parser.add_argument(
        'model',
        nargs='?',
        metavar='CHECKPOINT_OR_NAME',
        help='a checkpoint; or the name of a config, for its newest run in work_dirs (default: a model of the built-in '
        'shapes, which is trained first and kept in work_dirs/demo)',
    )
    parser.add_argument(
        '--port', type=at_least(0, 65535), default=PORT, help=f'port (default: {PORT}; 0: any)'
    )
    parser.add_argument(
        '--max-mb', type=at_least(1, 4096), default=64, help='largest file in megabytes (default: 64)'
    )
    parser.add_argument('--device', type=device, default='cpu', help='cpu (default), cuda, cuda:1 ..., auto')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Load the model and answer until Ctrl-C."""
    check_device(args.device)
    # ``--help`` need not wait for the libraries that draw.
    from point_peft.demo.choice import find_checkpoint
    from point_peft.demo.model import DemoModel
    from point_peft.demo.server import DemoServer

    with DemoServer(port=args.port, largest=args.max_mb) as server:
        checkpoint = find_checkpoint(args.model)
        print(f'loading {printable(checkpoint)}', flush=True)
        server.model = DemoModel(checkpoint, device=args.device)
        print(f'the demo is at {server.address} (only on this machine); Ctrl-C ends it', flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.2)
    print('the demo has ended')


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
