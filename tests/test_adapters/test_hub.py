"""Model cards, and adapters on a hub that is a folder of this machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from small_models import METHODS, build_classifier, clouds, logits, train

from point_peft.adapters import AdapterError, get_peft_model, load_adapter, push_to_hub, save_adapter
from point_peft.adapters.card import GENERATED, MOST_CLASSES, model_card
from point_peft.models import PointClassifier

CLASSES = ['a|b', '`c`', 'd\n# e', '<f>', 'g']


@pytest.fixture(scope='module')
def model() -> PointClassifier:
    """A classifier with a trained LoRA."""
    model = build_classifier(None)
    get_peft_model(model, METHODS['lora'])
    train(model, steps=1)
    return model


class Hub(SimpleNamespace):
    """What is used of ``huggingface_hub``, with folders for repositories."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.private: dict[str, bool] = {}

    def create_repo(self, repo: str, *, private: bool, exist_ok: bool, token: str | None) -> None:
        assert exist_ok
        self.private.setdefault(repo, private)
        (self.root / repo).mkdir(parents=True, exist_ok=True)

    def file_exists(self, repo: str, file: str, *, token: str | None) -> bool:
        return (self.root / repo / file).is_file()

    def hf_hub_download(self, repo: str, file: str, **options: Any) -> str:
        return str(self.root / repo / file)

    def upload_folder(
        self, *, repo_id: str, folder_path: str, ignore_patterns: list[str], token: str | None
    ) -> None:
        left_out = shutil.ignore_patterns(*ignore_patterns)
        shutil.copytree(folder_path, self.root / repo_id, ignore=left_out, dirs_exist_ok=True)

    def snapshot_download(self, repo: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        return str(self.root / repo)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The stand-in."""
    hub = Hub(tmp_path / 'hub')
    monkeypatch.setitem(sys.modules, 'huggingface_hub', hub)
    return hub


def test_card(model: PointClassifier, tmp_path: Path) -> None:
    """It has the facts of the files, in which names are no markup; one of one's own stays."""
    save_adapter(model, tmp_path, classes=CLASSES)
    card = (tmp_path / 'README.md').read_text()
    _, front, text = card.split('---\n', 2)
    assert yaml.safe_load(front)['tags'] == ['point-cloud', 'adapter', 'LoRA']
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert f'| trained parameters | {trained:,} |' in text
    assert r'| classes | a\|b, \`c\`, d\\n\# e, \<f\>, g |' in text
    (tmp_path / 'README.md').write_text(card.replace(GENERATED, '') + 'mine')
    save_adapter(model, tmp_path)
    assert (tmp_path / 'README.md').read_text().endswith('mine')


def test_card_of_many_classes() -> None:
    """The first of them."""
    config = dict(
        methods=[], classes=[f'c{i}' for i in range(MOST_CLASSES + 3)], trainable_parameters=5, version='1'
    )
    card = model_card(config)
    assert f'c{MOST_CLASSES - 1} and 3 more' in card and 'a head alone' in card


def test_there_and_back(model: PointClassifier, hub: Hub) -> None:
    """The address gives the same predictions; what was written into the card there stays, what is uploaded is new."""
    address = push_to_hub(model, 'owner/repo')
    assert address == 'hf://owner/repo' and hub.private == {'owner/repo': True}
    other = load_adapter(build_classifier(None), address)
    assert torch.equal(logits(other, clouds()), logits(model, clouds()))
    card = hub.root / 'owner/repo/README.md'
    assert f"load_adapter(model, '{address}')" in card.read_text()
    card.write_text('mine')
    (hub.root / 'owner/repo/adapter_config.json').unlink()
    push_to_hub(model, 'owner/repo', private=False)
    assert card.read_text() == 'mine' and (hub.root / 'owner/repo/adapter_config.json').is_file()


def test_refused(model: PointClassifier, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence each, before anything is sent."""
    for repo in ('repo', 'owner/repo@v1', 'owner/repo/file', 'a b/c'):
        with pytest.raises(AdapterError, match='give OWNER/REPO'):
            push_to_hub(model, repo)

    def refuse(*args: Any, **options: Any) -> None:
        raise PermissionError('401 Client Error.\nmore')

    monkeypatch.setattr(hub, 'create_repo', refuse)
    with pytest.raises(
        AdapterError, match=r'cannot be uploaded to owner/repo \(401 Client Error\); save_adapter'
    ):
        push_to_hub(model, 'owner/repo')
