from __future__ import annotations

from mmengine.registry import LOOPS, MODELS, DefaultScope

from point_peft.registry.scopes import EMPTY_REGISTRIES, SCOPE, root_registries


def test_every_root_registry_has_the_scope() -> None:
    assert {'MODELS', 'HOOKS', 'LOOPS', 'VISUALIZERS'} <= set(root_registries())
    assert all(SCOPE in registry.children for registry in root_registries().values())
    assert 'RUNNERS' in EMPTY_REGISTRIES
    assert not {'MODELS', 'LOOPS'} & set(EMPTY_REGISTRIES)


def test_names_of_mmengine_are_found_in_the_scope_and_others_are_not() -> None:
    with DefaultScope.overwrite_default_scope(SCOPE), LOOPS.switch_scope_and_registry(None) as loops:
        assert loops.scope == SCOPE
        assert loops.get('ValLoop').__name__ == 'ValLoop'
        assert loops.get('NoSuchLoop') is None
    with DefaultScope.overwrite_default_scope(SCOPE), MODELS.switch_scope_and_registry(None) as models:
        assert models.get('PointClassifier').__module__.startswith('point_peft')
