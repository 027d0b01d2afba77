#!/usr/bin/env bash
# Install the detection tier into .venv-detection and run the tests that need it:
#   bash tools/run_detection_tests.sh [arguments of pytest]
# A test that is skipped for a missing package fails here. Ends with pytest's closing line.
set -euo pipefail

cd "$(dirname "$0")/.."
export VENV=${VENV:-.venv-detection}
bash tools/setup_env.sh runtime detection tests
BIN=$(cd "$VENV/bin" && pwd)
export PATH="$BIN:$PATH" OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} MKL_NUM_THREADS=${MKL_NUM_THREADS:-1}
export PYTHONDONTWRITEBYTECODE=

echo '== pytest, detection tier'
exec "$BIN/python" -m pytest --tier detection --numprocesses auto --maxprocesses 4 --dist worksteal \
    tests/test_detection tests/test_scene_seg tests/test_engine/test_config/test_check.py tests/test_engine/test_config/test_tiers.py "$@"
