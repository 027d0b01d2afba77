from __future__ import annotations

from mmengine.registry import LOOPS, MODELS, DefaultScope

from point_peft.engine.registries import EMPTY_REGISTRIES, SCOPE, root_registries


def test_every_root_registry_has_the_scope() -> None:
    assert {'MODELS', 'HOOKS', 'LOOPS', 'VISUALIZERS'} <= set(root_registries())
    assert all(SCOPE in registry.children for registry in root_registries().values())
    assert 'LOOPS' in EMPTY_REGISTRIES and 'MODELS' not in EMPTY_REGISTRIES


def test_names_of_mmengine_are_found_in_the_scope_and_others_are_not() -> None:
    with DefaultScope.overwrite_default_scope(SCOPE):
        assert LOOPS.get('ValLoop').__name__ == 'ValLoop'
        assert LOOPS.get('NoSuchLoop') is None
        assert MODELS.get('PointClassifier').__module__.startswith('point_peft')
