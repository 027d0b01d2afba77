"""Adapters on the Hugging Face hub; ``load_adapter`` takes their address."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from torch import nn

from ..io.addresses import ON_HUB, hub_package
from ..io.text import printable
from .card import CARD, GENERATED, write_card
from .errors import AdapterError
from .files import save_adapter
from .folder import CONFIG


def push_to_hub(
    model: nn.Module,
    repo: str,
    name: str | None = None,
    *,
    private: bool = True,
    token: str | None = None,
    classes: list[str] | None = None,
) -> str:
    """Upload an adapter, as :func:`save_adapter` writes it, to a repository of its own.

    The model card that is generated is for its author to complete; one that was completed there stays.

    Args:
        model (nn.Module): A model with adapters.
        repo (str): ``OWNER/REPO``; made if it does not exist.
        name (str | None): Which adapter; None means the one that acts.
        private (bool): Whether a repository that is made is seen by its owner alone.
        token (str | None): Of the hub; None means that of ``hf auth login``.
        classes (list[str] | None): As for :func:`save_adapter`.

    Returns:
        str: The address for :func:`load_adapter`.

    Raises:
        MissingPackageError: ``huggingface_hub`` is not installed.
        AdapterError: ``repo`` has another form, or the hub refuses it or cannot be reached.
        PointPEFTError: As :func:`save_adapter`.
    """
    address = f'hf://{repo}'
    found = ON_HUB.fullmatch(address)
    if found is None or found[2] or found[3]:
        raise AdapterError(f'{printable(repo)} is no name of a repository; give OWNER/REPO.')
    hub = hub_package()
    with TemporaryDirectory() as directory:
        folder = save_adapter(model, directory, name, classes=classes)
        write_card(folder, json.loads((folder / CONFIG).read_bytes()), address)
        try:
            hub.create_repo(repo, private=private, exist_ok=True, token=token)
            kept = [CARD] if _has_own_card(hub, repo, token) else []
            hub.upload_folder(repo_id=repo, folder_path=str(folder), ignore_patterns=kept, token=token)
        except Exception as error:  # of HTTP, rights, or the network
            said = next(iter(str(error).splitlines()), '').rstrip('.') or type(error).__name__
            raise AdapterError(
                f'the adapter cannot be uploaded to {printable(repo)} ({printable(said)}); save_adapter writes the '
                'same files to a folder.'
            ) from error
    return address


def _has_own_card(hub: ModuleType, repo: str, token: str | None) -> bool:
    """Whether a repository has a model card that somebody has written."""
    if not hub.file_exists(repo, CARD, token=token):
        return False
    text = Path(hub.hf_hub_download(repo, CARD, token=token)).read_text(encoding='utf-8', errors='replace')
    return GENERATED not in text
