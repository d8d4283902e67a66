#!/bin/sh
# Makes the demo world, stage by stage; each stage skips what is finished and resumes from its checkpoint.
# Usage: scripts/demo_world/make.sh [python]     Checkpoints: .deps/demo_world, result: share/w2w/demo.
set -e
cd "$(dirname "$0")"
python=${1:-python3}
work=../../.deps/demo_world
"$python" draw.py
"$python" tokenizer.py
[ -e $work/vae.pt ] || "$python" train_vae.py --minutes "${VAE_MINUTES:-18}"
"$python" encode.py
[ -e $work/base_done ] || { "$python" train_base.py --minutes "${BASE_MINUTES:-120}" && touch $work/base_done; }
"$python" train_loras.py --people "${PEOPLE:-208}"
"$python" build_space.py
"$python" export.py
[ -e $work/regressor.pt ] || "$python" regressor.py
"$python" measure.py
