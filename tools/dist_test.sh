#!/usr/bin/env bash
# Test with several processes on this machine, with or without GPUs:
#   bash tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [flags of tools/test.py]
# For several machines set NNODES, NODE_RANK and MASTER_ADDR on each; PORT if the default one is taken.
set -euo pipefail

CONFIG=${1:?usage: dist_test.sh CONFIG CHECKPOINT PROCESSES [flags]}
CHECKPOINT=${2:?usage: dist_test.sh CONFIG CHECKPOINT PROCESSES [flags]}
PROCESSES=${3:?usage: dist_test.sh CONFIG CHECKPOINT PROCESSES [flags]}

exec bash "$(dirname "$0")/dist_run.sh" "$PROCESSES" test.py "$CONFIG" "$CHECKPOINT" "${@:4}"
