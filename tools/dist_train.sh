#!/usr/bin/env bash
# Train with several processes on this machine, with or without GPUs:
#   bash tools/dist_train.sh CONFIG PROCESSES [flags of tools/train.py]
# For several machines set NNODES, NODE_RANK and MASTER_ADDR on each; PORT if the default one is taken.
set -euo pipefail

CONFIG=${1:?usage: dist_train.sh CONFIG PROCESSES [flags]}
PROCESSES=${2:?usage: dist_train.sh CONFIG PROCESSES [flags]}

exec bash "$(dirname "$0")/dist_run.sh" "$PROCESSES" train.py "$CONFIG" "${@:3}"
