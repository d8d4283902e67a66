# Sourced by the other scripts: where things are, and how they speak.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DEPS=$(realpath -m "${W2W_DEPS:-$ROOT/.deps}")   # W2W_DEPS: put the downloads elsewhere
VENV=$DEPS/venv
JOBS=${W2W_JOBS:-$(nproc)}
NAME=$(basename "$0")
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s: %s\n' "$NAME" "$*" >&2; }
die() { say "error: $*"; exit 1; }

# The LibTorch of the environment's own Python: after an upgrade of the system's there are packages of both.
torch_root() { echo "$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch"; }

# build PRESET [-DOPTION=VALUE...] [TARGET...]: configures when needed and builds, printing only what goes wrong.
build() {
  local preset=$1 log=$DEPS/build-$1.log options=()
  shift
  while [[ ${1:-} == -D* ]]; do options+=("$1"); shift; done
  cd "$ROOT"
  cmake --preset "$preset" -DW2W_TORCH_ROOT="$(torch_root)" "${options[@]}" >"$log" 2>&1 || { cat "$log" >&2; die "cmake failed"; }
  say "building the $preset preset with $JOBS jobs (the first time takes minutes)"
  cmake --build --preset "$preset" -j "$JOBS" ${@:+--target "$@"} >"$log" 2>&1 || {
    grep -v '^\[[0-9/]*\] Building' "$log" | tail -n 60 >&2
    die "the build failed; everything it said is in $log"
  }
}
