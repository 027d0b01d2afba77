"""The binary container of glTF, glb: its description in JSON and its data."""

from __future__ import annotations

import json
import struct
from typing import Any

from ...io.naming import UnreadableError
from ...io.reading import without_bom

MAGIC = b'glTF'
JSON, BIN = 0x4E4F534A, 0x004E4942
"""Types of chunks."""


def split_container(content: bytes) -> tuple[dict[str, Any], bytes | None]:
    """Description, and data of a glb file that has them.

    Args:
        content (bytes): a glb or gltf file.

    Raises:
        UnreadableError: a glb that is cut off, or a description that is none of glTF 2.
    """
    text, data = _chunks(content) if content.startswith(MAGIC) else (without_bom(content), None)
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f'has no glTF description that is JSON ({error}); export it again.') from error
    version = str(tree.get('asset', {}).get('version', '')) if isinstance(tree, dict) else ''
    if not version.startswith('2'):
        raise UnreadableError(f"is glTF of version '{version[:20]}'; expected 2: export it again.")
    return tree, data


def _chunks(content: bytes) -> tuple[bytes, bytes | None]:
    """Contents of the chunks."""
    if len(content) < 20:
        raise UnreadableError('is truncated within its header; export it again.')
    version, length = struct.unpack_from('<II', content, 4)
    if version != 2 or length != len(content):
        raise UnreadableError(
            f'is glb of version {version} with {length} bytes by its header; expected 2 and the {len(content)} bytes '
            'that it has: export it again.'
        )
    chunks: list[tuple[int, bytes]] = []
    position = 12
    while position + 8 <= length:
        size, kind = struct.unpack_from('<II', content, position)
        if position + 8 + size > length:
            raise UnreadableError('is truncated: a chunk is longer than the file; export it again.')
        chunks.append((kind, content[position + 8 : position + 8 + size]))
        position += 8 + size
    if not chunks or chunks[0][0] != JSON:
        raise UnreadableError('does not begin with a description; export it again.')
    return chunks[0][1], chunks[1][1] if len(chunks) > 1 and chunks[1][0] == BIN else None
