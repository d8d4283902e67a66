#!/bin/sh
# Trains the base model in the background of other work: at the lowest priority, from wherever it stands.
# Usage: scripts/demo_world/background.sh start|pause|continue|stop|state [python]     Log: .deps/demo_world/train.log
set -e
cd "$(dirname "$0")"
work=$(cd ../.. && pwd)/.deps/demo_world
python=${2:-../../.deps/venv/bin/python}
pid=$(cat "$work/train.pid" 2>/dev/null || echo 0)
alive() { ps -o args= -g "$pid" | grep -q "[t]rain_base"; }  # the file may speak of another machine's process
case $1 in
start)
  if alive; then echo "runs already: $pid"; exit; fi
  mkdir -p "$work"
  setsid nohup nice -n 19 chrt -i 0 sh -c '
    [ -e "$1/base_checkpoint.pt" ] || "$0" restore.py
    [ -e "$1/latents_base.pt" ] || { "$0" draw.py && "$0" encode.py; } && exec "$0" train_base.py --steps "$2"' "$python" "$work" "${BASE_STEPS:-40000}" \
    >> "$work/train.log" 2>&1 < /dev/null &
  echo $! > "$work/train.pid" ;;
pause) alive && kill -s STOP -- "-$pid" ;;
continue) alive && kill -s CONT -- "-$pid" ;;
stop) alive || exit 0; kill -s TERM -- "-$pid"; kill -s CONT -- "-$pid" ;;  # it saves its last step first
state) if alive; then ps -o pid,stat,time,args -g "$pid"; else echo "not running"; fi; tail -n 3 "$work/train.log" ;;
*) sed -n 2,3p "$0" ;;
esac
