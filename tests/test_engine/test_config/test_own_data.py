"""Classes that are counted, and settings that suit the number of objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from point_peft.engine.config import load_config
from point_peft.engine.config.own_data import (
    check_counts,
    is_enough_to_validate,
    options_for_size,
    split_counts,
)
from point_peft.io.errors import ConfigError, DatasetError

CONFIG = 'lora/pointmae_mini_folder'


def write(root: Path, objects: int, names: str = 'abc') -> str:
    """A directory of classes whose clouds nobody reads."""
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(objects):
            (root / name / f'{number}.npy').touch()
    return str(root)


def test_classes_are_counted(tmp_path: Path) -> None:
    """In the directory, unless they are given; data that are not there leave them open."""
    root = write(tmp_path / 'clouds', 4)
    assert load_config(CONFIG, {'data_root': root}).model.head.num_classes == 3
    assert load_config(CONFIG, {'data_root': root, 'num_classes': 5}).model.head.num_classes == 5
    assert load_config(CONFIG, {'data_root': str(tmp_path / 'none')}).model.head.num_classes is None
    config = tmp_path / 'own.py'
    config.write_text(f"parts = dict(backbone='recon', task='folder', method='lora')\ndata_root = {root!r}\n")
    assert load_config(config).model.head.num_classes == 3
    with pytest.raises(ConfigError, match="the single class 'x'"):
        load_config(CONFIG, {'data_root': write(tmp_path / 'single', 2, 'x')})
    with pytest.raises(DatasetError, match='no class directories'):
        load_config(CONFIG, {'data_root': str(tmp_path / 'clouds' / 'a')})


@pytest.mark.parametrize(
    ('objects', 'batch', 'epochs', 'fraction'),
    [(17, 8, 100, 0.2), (60, 8, 29, 0.2), (200, 32, 31, 0.104), (1600, 32, 20, 0.1)],
)
def test_settings(tmp_path: Path, objects: int, batch: int, epochs: int, fraction: float) -> None:
    """From 51 to 4800 objects; what the user says stays."""
    options = {'data_root': write(tmp_path / 'clouds', objects)}
    cfg = load_config(CONFIG, options)
    chosen = options_for_size(CONFIG, cfg, options)
    assert chosen['train_dataloader.batch_size'] == batch
    assert chosen['train_cfg.max_epochs'] == pytest.approx(epochs, abs=6)
    assert chosen['val_dataloader.dataset.val_fraction'] == pytest.approx(fraction, abs=0.01)
    given = {
        'train_cfg.max_epochs': 3,
        'train_dataloader.batch_size': 5,
        'train_dataloader.dataset.val_fraction': 0.3,
    }
    assert options_for_size(CONFIG, cfg, given) == {}
    counts = split_counts(load_config(CONFIG, {**options, **chosen}))
    assert counts is not None and is_enough_to_validate(counts) == (objects > 100)
    assert sum(sum(split.values()) for split in counts.values()) == 3 * objects
    assert check_counts(counts, 'clouds') == []


def test_files_keep_what_they_say(tmp_path: Path) -> None:
    """Only configs that are their parts and nothing else are fitted; other data are nobody's directory."""
    root = write(tmp_path / 'clouds', 10)
    config = tmp_path / 'own.py'
    config.write_text(f"parts = dict(backbone='recon', task='folder', method='lora')\ndata_root = {root!r}\n")
    assert options_for_size(config, load_config(config), {}) == {}
    assert split_counts(load_config('lora/pointmae_mini_shapes')) is None


def test_small_classes(tmp_path: Path) -> None:
    """A class whose objects do not suffice for every split is named."""
    root = write(tmp_path / 'clouds', 12)
    write(tmp_path / 'clouds', 1, 'z')
    counts = split_counts(load_config(CONFIG, {'data_root': root}))
    assert counts is not None and counts['test']['z'] == 0
    notes = check_counts(counts, root)
    assert len(notes) == 2 and "1 of 4 classes, 'z', have too few objects for the test set" in notes[0]
    with pytest.raises(ConfigError, match='leaves 1 object to train on'):
        check_counts(dict(train={'a': 1}), root)
