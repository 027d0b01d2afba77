#!/usr/bin/env bash
# From nothing to three fine-tuned models in about five minutes on two CPU cores (after the download):
#   bash tools/quickstart.sh [flags of tools/quickstart.py]
# Writes a table and a picture to work_dirs/quickstart. Needs Python >= 3.10 and nothing else.
set -euo pipefail

TOOLS=$(cd "$(dirname "$0")" && pwd)
cd "$TOOLS/.."
bash "$TOOLS/setup_env.sh" runtime
exec "${VENV:-.venv}/bin/python" "$TOOLS/quickstart.py" "$@"
