"""How many points or vertices, and faces, a file promises, found without the readers; None where it is unclear."""

from __future__ import annotations

import json
import re
import struct


def promised(kind: str, content: bytes) -> tuple[int | None, int | None]:
    """Points or vertices, and faces, of a file of a kind of ``sample_files``."""
    suffix = kind.rpartition('.')[2]
    counts = COUNTS[suffix](content)
    return counts if isinstance(counts, tuple) else (counts, None)


def _number(pattern: bytes, content: bytes) -> int | None:
    found = re.search(pattern, content, re.MULTILINE)
    return int(found[1]) if found else None


def _npy(content: bytes) -> int | None:
    return _number(rb"'shape': *\((\d+),", content)


def _text(content: bytes) -> int | None:
    if content[:2] in (b'\xff\xfe', b'\xfe\xff'):
        return None
    rows = [line for line in re.split(rb'[\r\n]+', content) if line.partition(b'#')[0].strip()]
    return len(rows) - rows[0].strip().isdigit()


def _las(content: bytes) -> int | None:
    return struct.unpack_from('<I', content, 107)[0] if content[25] < 4 else None


def _ply(content: bytes) -> tuple[int | None, int | None]:
    return _number(rb'^element vertex (\d+)', content), _number(rb'^element face (\d+)', content)


def _off(content: bytes) -> tuple[int | None, int | None]:
    words = [word for line in content.split(b'\n') for word in line.partition(b'#')[0].split()]
    return (int(words[1]), int(words[2])) if words[0] == b'OFF' else (None, None)


def _obj(content: bytes) -> tuple[int | None, int | None]:
    if b'\\' in content or b'\r' in content:
        return None, None
    words = [line.split()[0] for line in content.split(b'\n') if line.split()]
    return words.count(b'v'), words.count(b'f') or None


def _stl(content: bytes) -> tuple[int | None, int | None]:
    count = struct.unpack_from('<I', content, 80)[0]
    if len(content) == 84 + 50 * count:
        return 3 * count, count
    words = content.lower().split()
    return words.count(b'vertex'), words.count(b'facet')


def _gltf(content: bytes) -> tuple[int | None, int | None]:
    if content.startswith(b'glTF'):
        content = content[20 : 20 + struct.unpack_from('<I', content, 12)[0]]
    tree = json.loads(content)
    if len(tree['accessors']) != 2 or [len(tree.get(key, '')) for key in ('nodes', 'meshes', 'scenes')] != [
        1,
        1,
        1,
    ]:
        return None, None
    mode = tree['meshes'][0]['primitives'][0].get('mode', 4)
    return tree['accessors'][0]['count'], tree['accessors'][1]['count'] // 3 if mode == 4 else None


COUNTS = {
    'npy': _npy,
    'txt': _text,
    'xyz': _text,
    'pts': _text,
    'pcd': lambda content: _number(rb'^POINTS\s+(\d+)', content),
    'las': _las,
    'laz': _las,
    'ply': _ply,
    'off': _off,
    'obj': _obj,
    'stl': _stl,
    'glb': _gltf,
    'gltf': _gltf,
}
