#!/usr/bin/env bash
# Install what the tests need into .venv, then lint, check types and test:
#   bash tools/run_tests.sh [arguments of pytest]
# A test that is skipped for a missing package of this tier fails, also one in a browser where apt-get could install it.
# Ends with pytest's closing line; fails if pytest, ruff or mypy does.
set -uo pipefail

TOOLS=$(cd "$(dirname "$0")" && pwd)
cd "$TOOLS/.." || exit 1
bash "$TOOLS/setup_env.sh" runtime docs onnx tests || exit 1
bash "$TOOLS/setup_env.sh" browser || echo 'without it, the tests in a browser cannot run' >&2
BIN=$(cd "${VENV:-.venv}/bin" && pwd)
export PATH="$BIN:$PATH"
# One process per core (four at most), with one thread each: tests are many small steps.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} MKL_NUM_THREADS=${MKL_NUM_THREADS:-1}
# The processes that tests start take the package's compiled modules from each other.
export PYTHONDONTWRITEBYTECODE=

status=0
echo '== ruff' && { "$BIN/ruff" check . && "$BIN/ruff" format --check --quiet projects tests tools setup.py; } || status=1
echo '== mypy' && "$BIN/mypy" || status=1
[ "$status" = 0 ] || echo 'ruff or mypy failed, see above; the tests run all the same' >&2

echo '== pytest'
"$BIN/python" -m pytest --tier core --numprocesses auto --maxprocesses 4 --dist worksteal "$@"
tested=$?
[ "$tested" = 0 ] || status=$tested
exit "$status"
