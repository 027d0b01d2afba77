#!/usr/bin/env bash
# Train under slurm:
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [flags]
# GPUS_PER_NODE=0 with TASKS_PER_NODE=n runs n processes per node without GPUs.
set -euo pipefail

PARTITION=${1:?usage: slurm_train.sh PARTITION JOB_NAME CONFIG [flags]}
JOB_NAME=${2:?usage: slurm_train.sh PARTITION JOB_NAME CONFIG [flags]}
CONFIG=${3:?usage: slurm_train.sh PARTITION JOB_NAME CONFIG [flags]}
GPUS=${GPUS:-1}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
TOOLS=$(cd "$(dirname "$0")" && pwd)

RESOURCES=()
if [ "$GPUS_PER_NODE" -gt 0 ]; then
    RESOURCES+=(--gres="gpu:$GPUS_PER_NODE")
fi

export PYTHONPATH="$TOOLS/../projects${PYTHONPATH:+:$PYTHONPATH}"
# shellcheck disable=SC2086  # SRUN_ARGS holds several arguments
exec srun -p "$PARTITION" --job-name="$JOB_NAME" ${RESOURCES[@]+"${RESOURCES[@]}"} \
    --ntasks="$GPUS" --ntasks-per-node="${TASKS_PER_NODE:-$((GPUS_PER_NODE > 0 ? GPUS_PER_NODE : GPUS))}" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$TOOLS/train.py" "$CONFIG" --launcher slurm "${@:4}"
