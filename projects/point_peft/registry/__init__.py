"""Registries of the project: children of MMEngine's root registries, scope ``point_peft``.

``locations`` lets a registry import its modules on first use, so ``import point_peft`` stays cheap.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry

from ..ops.mmcv_extension import supply_extension
from .built_from import build_and_remember

supply_extension()  # a registry imports mmdet3d when it is first asked for a class of it

MODELS = Registry(
    'model',
    build_func=build_and_remember,
    parent=MMENGINE_MODELS,
    scope='point_peft',
    locations=[
        'point_peft.backbones',
        'point_peft.methods',
        'point_peft.heads',
        'point_peft.necks',
        'point_peft.models',
        'point_peft.models.objectives',
    ],
)
"""Backbones, tuning methods, heads, necks, task models and data preprocessors."""

DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='point_peft',
    locations=['point_peft.datasets', 'point_peft.procedural'],
)
"""Point-cloud datasets."""

DATA_SAMPLERS = Registry(
    'data sampler', parent=MMENGINE_DATA_SAMPLERS, scope='point_peft', locations=['point_peft.datasets']
)
"""Samplers that order the objects of a dataset."""

TRANSFORMS = Registry(
    'transform', parent=MMENGINE_TRANSFORMS, scope='point_peft', locations=['point_peft.datasets.transforms']
)
"""Batched augmentations, run by the data preprocessor on the training device."""

METRICS = Registry('metric', parent=MMENGINE_METRICS, scope='point_peft', locations=['point_peft.evaluation'])
"""Evaluation metrics."""

HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='point_peft', locations=['point_peft.engine.hooks'])
"""Runner hooks (not to be confused with tuning methods, which live in MODELS)."""

LOOPS = Registry(
    'loop', parent=MMENGINE_LOOPS, scope='point_peft', locations=['point_peft.engine.runtime.loops']
)
"""Loops of the runner."""

OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='point_peft',
    locations=['point_peft.engine.runtime.optimizers'],
)
"""Builders of the optimizer's parameter groups."""

OPTIM_WRAPPERS = Registry(
    'optim_wrapper',
    parent=MMENGINE_OPTIM_WRAPPERS,
    scope='point_peft',
    locations=['point_peft.engine.runtime.optimizers'],
)
"""Wrappers of the optimizer, which say in what precision a step is taken."""

VISUALIZERS = Registry(
    'visualizer',
    parent=MMENGINE_VISUALIZERS,
    scope='point_peft',
    locations=['point_peft.engine.runtime.visualizer'],
)
"""Visualizers of the runner, which record curves and pictures."""

TASK_UTILS = Registry('task util', parent=MMENGINE_TASK_UTILS, scope='point_peft')
"""Parts of detection heads, such as costs of matching; ``point_peft.detection`` registers them."""
