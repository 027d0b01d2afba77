"""Files at an address: fetched once, compared with their hash, and from then on files like any other.

``https://HOST/FILE``, or ``hf://OWNER/REPO/FILE`` and ``hf://OWNER/REPO@REVISION/FILE`` for the Hugging Face hub;
behind either ``#sha256=`` and 64 digits, by which the file is checked whenever it is used.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from urllib.parse import urlparse

from .errors import CheckpointError, MissingPackageError
from .locks import alone_in
from .text import printable

HASH = re.compile(r'#sha256=([0-9a-fA-F]{64})')
ON_HUB = re.compile(r'hf://([\w.-]+/[\w.-]+)(?:@([^/@]+))?(?:/(.+))?')

FOLDER = ('*.json', '*.safetensors', '*.md')
"""Patterns of the files that are fetched of a folder; none of them can hold a program."""

BLOCK = 1 << 20


class Address(NamedTuple):
    """An address in its pieces.

    Attributes:
        place (str): The address without the hash.
        sha256 (str | None): What the file's SHA-256 has to be.
    """

    place: str
    sha256: str | None


class OnHub(NamedTuple):
    """A file of the Hugging Face hub, or all of a repository there."""

    repo: str
    revision: str | None
    file: str | None


def is_address(path: object) -> bool:
    """Whether something is an address rather than a path."""
    return isinstance(path, str) and '://' in path


def fetch(address: str) -> Path:
    """The file at an address; from this machine, if it was fetched before.

    Raises:
        CheckpointError: It cannot be fetched, is of another kind than the module says, or has another hash.
        MissingPackageError: ``hf://`` needs a package that is not installed.
    """
    place, sha256 = _parse(address)
    if place.startswith('hf://'):
        file = _fetch_from_hub(_on_hub(place, is_file=True))
    elif place.startswith(('https://', 'http://')):
        file = _fetch_from_web(place, sha256)
    else:
        raise CheckpointError(
            f'{printable(address)} uses a scheme that is not supported; give a path, https://HOST/FILE or '
            'hf://OWNER/REPO/FILE.'
        )
    if sha256 is not None and (found := _hash(file)) != sha256:
        raise CheckpointError(
            f'{printable(place)} is in {printable(file)} with SHA-256 {found}, not {sha256}; delete that file if it is '
            'damaged, or correct the hash.'
        )
    return file


def fetch_folder(address: str) -> Path:
    """A repository of the Hugging Face hub, ``hf://OWNER/REPO`` or ``hf://OWNER/REPO@REVISION``, as a folder.

    Raises:
        CheckpointError: It cannot be fetched.
        MissingPackageError: The package for it is not installed.
    """
    repo, revision, _ = _on_hub(address, is_file=False)
    hub = hub_package()
    with _explained(address):
        return Path(hub.snapshot_download(repo, revision=revision, allow_patterns=list(FOLDER)))


def kept_file(address: str) -> Path | None:
    """The file at an address if it was fetched before; nothing is fetched for it."""
    place, _ = _parse(address)
    if not place.startswith('hf://'):
        file = _place_on_disk(place)
        return file if file.is_file() else None
    repo, revision, name = _on_hub(place, is_file=True)
    found = hub_package().try_to_load_from_cache(repo, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def hub_package() -> ModuleType:
    """The package ``huggingface_hub``.

    Raises:
        MissingPackageError: It is not installed.
    """
    try:
        import huggingface_hub  # an optional package
    except ImportError as error:
        raise MissingPackageError(
            'the Hugging Face hub needs a package that is not installed; pip install huggingface_hub'
        ) from error
    return huggingface_hub


def is_folder(address: str) -> bool:
    """Whether an address is that of a whole repository of the Hugging Face hub."""
    found = ON_HUB.fullmatch(address)
    return found is not None and found[3] is None


def _parse(address: str) -> Address:
    """An address in its pieces.

    Raises:
        CheckpointError: What stands behind ``#`` is no hash; without one the file would not be checked.
    """
    place, mark, behind = address.partition('#')
    found = HASH.fullmatch(mark + behind)
    if mark and found is None:
        raise CheckpointError(f'{printable(address)}: what stands behind # should be sha256= and 64 digits.')
    return Address(place, found[1].lower() if found else None)


def _on_hub(place: str, *, is_file: bool) -> OnHub:
    found = ON_HUB.fullmatch(place)
    if found is None or (found[3] is not None) != is_file:
        form = 'hf://OWNER/REPO/FILE' if is_file else 'hf://OWNER/REPO'
        raise CheckpointError(f'{printable(place)} is no address of the Hugging Face hub; give {form}.')
    return OnHub(*found.groups())


def _fetch_from_hub(found: OnHub) -> Path:
    hub = hub_package()
    with _explained(f'hf://{found.repo}/{found.file}'):
        return Path(hub.hf_hub_download(found.repo, found.file, revision=found.revision))


def _fetch_from_web(place: str, sha256: str | None) -> Path:
    """Download a file, of several processes in one alone; it takes its name when it is complete and has its hash."""
    import torch  # takes a second, which those who fetch nothing need not wait

    file = _place_on_disk(place)
    if not file.exists():
        with _explained(place):
            file.parent.mkdir(parents=True, exist_ok=True)
            with alone_in(file.parent):
                if not file.exists():
                    torch.hub.download_url_to_file(place, str(file), sha256, progress=sys.stderr.isatty())
    return file


def _place_on_disk(place: str) -> Path:
    """Where a download is kept: with PyTorch's own, in a folder for each address, as many files have one name."""
    import torch

    folder = hashlib.blake2b(place.encode(), digest_size=4).hexdigest()
    return Path(torch.hub.get_dir(), 'checkpoints', folder, Path(urlparse(place).path).name)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """Turn whatever goes wrong on the way from another machine into one sentence.

    Raises:
        CheckpointError: Something does.
    """
    try:
        yield
    except Exception as error:  # of sockets, certificates, HTTP, the disk, or a hash that is another
        said = next(iter(str(error).splitlines()), '').rstrip('.') or type(error).__name__
        raise CheckpointError(
            f'{printable(address)} cannot be downloaded ({printable(said)}); where this machine has no internet, '
            'download it elsewhere and give the path of the file.'
        ) from error


def _hash(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, 'rb') as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
