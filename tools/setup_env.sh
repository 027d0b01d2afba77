#!/usr/bin/env bash
# Create .venv and install this project into it; quick when nothing has changed since:
#   bash tools/setup_env.sh [TIER ...]        TIER: runtime (default), docs, onnx, tests, browser, detection
# The detection tier (docs/install.md): name runtime with it. Where PyTorch sees a GPU, mmcv's operations are compiled for it,
# which takes a while; MMCV=compiled or MMCV=lite decides otherwise.
# The browser tier also takes Debian's Chromium by apt-get, where there is no browser and the user is root.
# PYTHON names the interpreter, VENV the environment to make (.venv), CONSTRAINTS the file of pinned versions
# (requirements/constraints.txt). pip's own settings work too; for example
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu   spares a machine without a GPU torch's CUDA packages.
set -euo pipefail

cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}
CONSTRAINTS=${CONSTRAINTS:-requirements/constraints.txt}
TIERS=("${@:-runtime}")
MMCV=${MMCV:-auto}
MMCV_VERSION=$(sed -n 's/^mmcv-lite==//p' requirements/detection.txt)
OLDEST="(3, 10)"
NEWEST_FOR_DETECTION="(3, 12)"  # mmdet3d's dependencies want numpy 1, which has no wheels for newer ones

fail() {
    echo "error: $*" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python python3.14 python3.13 python3.12 python3.11 python3.10}; do
        if "$candidate" -c "import sys; sys.exit(sys.version_info < $OLDEST)" >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python >= 3.10 found (tried ${PYTHON:-python3 and python3.10 to 3.14}); install one, or name it: PYTHON=/path/to/python3.12 bash $0"
}

# Some systems package Python without ensurepip, and then `python -m venv` fails; pip's wheel can install itself.
bootstrap_pip() {
    "$VENV/bin/python" - <<'PYTHON'
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

INDEX = 'https://pypi.org/pypi/pip/json'
with urlopen(INDEX) as reply:
    wheel = next(file for file in json.load(reply)['urls'] if file['packagetype'] == 'bdist_wheel')
with urlopen(urljoin(INDEX, wheel['url'])) as reply:
    content = reply.read()
if hashlib.sha256(content).hexdigest() != wheel['digests']['sha256']:
    sys.exit(f"{wheel['filename']} was damaged on its way; try again")
with tempfile.TemporaryDirectory() as directory:
    path = Path(directory) / wheel['filename']
    path.write_bytes(content)
    subprocess.run([sys.executable, f'{path}/pip', 'install', '--no-index', str(path)], check=True)
PYTHON
}

make_venv() {
    local python
    python=$(find_python)
    echo "== creating $VENV with $("$python" --version)"
    if ! "$python" -m venv "$VENV" >/dev/null 2>&1; then
        "$python" -m venv --clear --without-pip "$VENV" ||
            fail "$python cannot make virtual environments; install its venv module (Debian, Ubuntu: apt install python3-venv)"
        bootstrap_pip || {
            rm -rf "$VENV"
            fail "$python has no pip and none could be fetched; install its venv module (Debian, Ubuntu: apt install python3-venv)"
        }
    fi
}

install() {
    "$VENV/bin/python" -m pip install --disable-pip-version-check --constraint "$CONSTRAINTS" "$@"
}

# OpenCV comes with MMEngine and wants libGL, which machines without a screen may lack.
check_opencv() {
    if ! "$VENV/bin/python" -c 'import cv2' >/dev/null 2>&1; then
        echo "== this machine has no libGL: taking the headless OpenCV"
        local version
        version=$("$VENV/bin/python" -c 'from importlib.metadata import version; print(version("opencv-python"))')
        "$VENV/bin/python" -m pip uninstall --yes opencv-python
        install --force-reinstall --no-deps "opencv-python-headless==$version"  # the one that fits this numpy
    fi
}

has_detection() {
    [[ " ${TIERS[*]} " == *" detection "* ]]
}

# Whether mmcv is there as wanted ($1) and with its operations; without importing it, which may want libGL.
has_operations() {
    "$VENV/bin/python" - "$1" 2>/dev/null <<'PYTHON'
import sys
from importlib.metadata import files, version

compiled = any(str(file).startswith('mmcv/_ext') for file in files('mmcv') or [])
sys.exit(not (compiled and f"mmcv=={version('mmcv')}" == sys.argv[1]))
PYTHON
}

# Of all that pip and ninja say, only that the work goes on: "  [12/77] nms".
compiled_files() {
    local line
    while IFS= read -r line; do
        [[ ! $line =~ (\[[0-9]+/[0-9]+\])\ .*/([^/ ]+)\.(cpp|cu) ]] || echo "  ${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
    done
}

# There are no wheels of mmcv for the PyTorch that is pinned here, so its operations are compiled.
compile_mmcv() {
    local mmcv="mmcv==$MMCV_VERSION"
    ! has_operations "$mmcv" || return 0
    command -v "${CXX:-c++}" >/dev/null ||
        fail "$mmcv has to be compiled, and there is no C++ compiler; install one (Debian, Ubuntu: apt install build-essential)"
    echo "== compiling $mmcv: ten minutes to an hour; pip keeps the wheel for next time"
    "$VENV/bin/python" -m pip uninstall --yes mmcv-lite
    install wheel ninja psutil
    MMCV_WITH_OPS=1 install --verbose --no-build-isolation "$mmcv" 2>&1 | tee "$VENV/mmcv.log" | compiled_files || {
        tail -n 40 "$VENV/mmcv.log" >&2
        fail "$mmcv could not be compiled, see above; all that was said is in $VENV/mmcv.log"
    }
    has_operations "$mmcv" ||
        fail "$mmcv came without its operations; run $VENV/bin/python -m pip cache remove mmcv, delete $VENV, and try again"
}

wants_operations() {
    case "$MMCV" in
        compiled) true ;;
        lite) false ;;
        auto) "$VENV/bin/python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null ;;
        *) fail "MMCV=$MMCV is not known; give MMCV=compiled or MMCV=lite, or leave it out" ;;
    esac
}

# Compiled operations that are there stay.
install_detection() {
    if wants_operations || has_operations "mmcv==$MMCV_VERSION"; then
        compile_mmcv
        grep -v '^mmcv-lite' requirements/detection.txt >"$VENV/detection.txt"
        install -r "$VENV/detection.txt"
    else
        install -r requirements/detection.txt
    fi
}

has_browser() {
    { command -v chromium || command -v google-chrome || command -v chromium-browser; } >/dev/null &&
        command -v chromedriver >/dev/null
}

# Ubuntu has Chromium as a snap only; Google's Chrome with its driver does as well.
install_browser() {
    ! has_browser || return 0
    local packages=(chromium chromium-driver)
    command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] ||
        fail "there is no Chromium with its driver, and apt-get as root is what could install it here; install Chromium or Google Chrome, and chromedriver (Debian: sudo apt-get install ${packages[*]})"
    echo "== installing ${packages[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}"; } >"$VENV/browser.log" 2>&1 && has_browser ||
        fail "apt-get could not install ${packages[*]}: $(tail -n 1 "$VENV/browser.log"); install Chromium or Google Chrome, and chromedriver, by hand"
}

wanted_state() {
    echo "${TIERS[*]} $MMCV"
    cat "$CONSTRAINTS" pyproject.toml setup.py projects/point_peft/version.py
    local tier
    for tier in "${TIERS[@]}"; do
        cat "requirements/$tier.txt"
    done
    pwd
}

if ! "$VENV/bin/python" -c "import sys; sys.exit(sys.version_info < $OLDEST)" >/dev/null 2>&1; then
    [ ! -e "$VENV" ] || fail "$VENV holds no working Python >= 3.10; delete it and run this again"
    make_venv
fi

if has_detection && ! "$VENV/bin/python" -c "import sys; sys.exit(sys.version_info[:2] > $NEWEST_FOR_DETECTION)"; then
    fail "the detection tier needs Python 3.10 to 3.12, and $VENV has $("$VENV/bin/python" --version); make another: PYTHON=python3.12 VENV=.venv-detection bash $0 ${TIERS[*]}"
fi

STAMP="$VENV/.point_peft-$(IFS=-; echo "${TIERS[*]}")"
if [ "$(cat "$STAMP" 2>/dev/null)" != "$(wanted_state | cksum)" ]; then
    rm -f "$STAMP"
    echo "== installing ${TIERS[*]} (the first time, torch is a large download)"
    install torch  # first and pinned: the others ask for any torch, and pip might then take the newest
    install "setuptools<81"
    for tier in "${TIERS[@]}"; do
        if [ "$tier" = detection ]; then
            install_detection
        else
            install -r "requirements/$tier.txt"
        fi
    done
    install --no-deps --no-build-isolation --editable .
    check_opencv
    ! has_detection || "$VENV/bin/python" -c 'import point_peft.detection' ||
        fail "the detection tier does not load, see above; pip may have kept an mmcv for another PyTorch: run $VENV/bin/python -m pip cache remove mmcv, delete $VENV, and try again"
    wanted_state | cksum >"$STAMP"
fi

[[ " ${TIERS[*]} " != *" browser "* ]] || install_browser
