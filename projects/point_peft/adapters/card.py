"""The model card of an adapter: what its files say, for people, and what only its author knows, to be filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..io.atomic import write_atomically
from ..io.text import printable

CARD = 'README.md'

GENERATED = '<!-- written by save_adapter; without this line it is kept as it is -->'
"""By which a card is known that may be written anew."""

MOST_CLASSES = 40

TEXT = """---
library_name: point-peft
tags: [point-cloud, adapter, {tags}]
---
{generated}

# An adapter of {methods} for {model} on {backbone}

| | |
|---|---|
| trained parameters | {trainable} |
| base weights | those with the hash `{base}`; on others it is refused |
| classes | {classes} |
| written by | point-peft {version} |

## Use

```python
from point_peft.apis import load_adapter

load_adapter(model, '{address}')  # model: a {model} on {backbone} with the base weights; this folder or its address
```

Files are read without running code in them: `adapter_config.json` says what is built, `adapter.safetensors` holds its
tensors.

## To be added by who trained it

What it is for and what it is not for; the data and their licence; the accuracy, of which epoch, on which objects,
chosen how; where the base weights come from; the licence of this adapter.
"""


def write_card(folder: Path, config: Mapping[str, Any], address: str = 'FOLDER') -> None:
    """Write the card of an adapter, unless somebody has written one.

    Args:
        folder (Path): The adapter's.
        config (Mapping): Content of its ``adapter_config.json``.
        address (str): Where it can be had.
    """
    path = folder / CARD
    if path.is_file() and GENERATED not in path.read_text(encoding='utf-8', errors='replace'):
        return
    write_atomically(path, model_card(config, address).encode())


def model_card(config: Mapping[str, Any], address: str = 'FOLDER') -> str:
    """The text of the card: Markdown with the metadata that the Hugging Face hub reads.

    Args:
        config (Mapping): Content of ``adapter_config.json``.
        address (str): Where the adapter can be had.
    """
    kinds = list(dict.fromkeys(str(method['type']).rpartition('.')[2] for method in config['methods']))
    names = [_cell(name) for name in config.get('classes') or ()]
    more = f' and {len(names) - MOST_CLASSES} more' if len(names) > MOST_CLASSES else ''
    return TEXT.format(
        generated=GENERATED,
        tags=', '.join(kinds) or 'head',
        methods=', '.join(kinds) or 'a head alone',
        model=config.get('model', 'a network'),
        backbone=config.get('backbone', 'its own layers'),
        trainable=f'{config["trainable_parameters"]:,}',
        base=config.get('base_hash'),
        classes=', '.join(names[:MOST_CLASSES]) + more or 'not named',
        version=config['version'],
        address=address,
    )


def _cell(name: object) -> str:
    """A name in a cell of a table, in which nothing is markup or a line's end."""
    return ''.join(f'\\{c}' if c in r'\`*_{}[]<>|#&$~' else c for c in printable(name))
