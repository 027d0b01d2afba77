#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share: run a tool in several processes on this machine, with or without GPUs.
#   bash tools/dist_run.sh PROCESSES TOOL [arguments of the tool]
# For several machines set NNODES, NODE_RANK and MASTER_ADDR on each; PORT if the default one is taken.
set -euo pipefail

PROCESSES=${1:?usage: dist_run.sh PROCESSES TOOL [arguments]}
TOOL=${2:?usage: dist_run.sh PROCESSES TOOL [arguments]}
TOOLS=$(cd "$(dirname "$0")" && pwd)

export PYTHONPATH="$TOOLS/../projects${PYTHONPATH:+:$PYTHONPATH}"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} MKL_NUM_THREADS=${MKL_NUM_THREADS:-1}
PYTHON=${PYTHON:-python}
# Without an activated environment, the one that the set-up scripts made.
has_torch='import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)'
"$PYTHON" -c "$has_torch" 2>/dev/null || PYTHON="$TOOLS/../.venv/bin/python"
exec "$PYTHON" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$PROCESSES" \
    "$TOOLS/$TOOL" "${@:3}" --launcher pytorch
