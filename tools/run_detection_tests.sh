#!/usr/bin/env bash
# Install the detection tier into .venv-detection (the first time mmcv is compiled, about ten minutes) and run the tests
# that need it:
#   bash tools/run_detection_tests.sh [arguments of pytest]
set -euo pipefail

cd "$(dirname "$0")/.."
export VENV=${VENV:-.venv-detection}
bash tools/setup_env.sh runtime detection tests
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} MKL_NUM_THREADS=${MKL_NUM_THREADS:-1}

echo '== pytest, detection tier'
exec "$VENV/bin/python" -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal \
    tests/test_detection tests/test_scene_seg tests/test_engine/test_config_check.py tests/test_engine/test_optional.py "$@"
