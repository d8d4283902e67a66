#!/bin/sh
# Makes the demo world, stage by stage; each stage skips what is finished and resumes from its checkpoint.
# Usage: scripts/demo_world/make.sh [python] [w2w]     Checkpoints: .deps/demo_world, result: share/w2w/demo.
set -e
cd "$(dirname "$0")"
python=${1:-python3}
w2w=${2:-../../build/w2w}
work=../../.deps/demo_world
demo=../../share/w2w/demo
people=${PEOPLE:-208}
"$python" draw.py
"$python" tokenizer.py
[ -e $work/vae.pt ] || "$python" train_vae.py --minutes "${VAE_MINUTES:-18}"
"$python" encode.py
[ -e $work/base_done ] || { "$python" train_base.py --steps "${BASE_STEPS:-40000}" && touch $work/base_done; }
"$python" export.py
"$python" write_people.py --people "$people"
train() {
  "$w2w" train --batch-file $work/people/people.csv --shard "$1" --together 8 --steps 40 --batch 4 --lr 3e-3 --lr-schedule cosine \
    --warmup 5 --loss-weight velocity --prior-weight 0 --threads 1 -m $demo/model -o $work/loras
}
train 1/2 & first=$!
train 2/2
wait $first
"$w2w" space build $work/loras -m $demo/model --base-model "w2w demo" --components 40 --dtype f16 --steps 20 --spread 1.3 -o $demo/space --force
"$python" labels.py --people "$people"
"$w2w" direction fit --space $demo/space -o $demo/space --force
[ -e $work/regressor.pt ] || "$python" regressor.py
"$python" measure.py
