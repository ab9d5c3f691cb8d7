#!/usr/bin/env bash
# The table of paper-repro.md, section 6: six ways to re-identify rendered objects in RGB and NIR, three seeds each, scored on
# identities that no run has seen. At most 5 minutes a run on 2 idle cores.
#
#   train/experiments/reid.sh            needs, in the current folder:
#     reid/rgbir/{bounding_box_train,query,bounding_box_test}/     an RGB-NIR set in the layout of RGBN300
#     weights/mobilenet_v2-b0353104.pth                            data/fetch_weights.sh
#
# Runs go to runs/reid/VARIANT-SEED. Each leaves its numbers in summary.json as soon as it ends; what is finished is skipped, and
# what was interrupted goes on where it was, so the script can be restarted. The summary counts the finished runs only.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tool=${MUTUALFORMER:-$repository/target/release/mutualformer}
[[ -n ${MUTUALFORMER:-} ]] || (cd "$repository" && cargo build --release --quiet)

declare -A changes=(
    [rgb]='model.streams=["rgb"]'
    [nir]='model.streams=["nir"]'
    [sum]='model.fusion=sum'
    [cam]='model.fusion=cam'
    [ca]='model.fusion=ca'
    [cda]='model.fusion=cda'
)
for seed in 1 2 3; do
    for variant in cda ca cam sum rgb nir; do
        run=runs/reid/$variant-$seed
        [[ -f $run/summary.json ]] && continue
        echo "== $run"
        if [[ -f $run/last.state.safetensors ]]; then
            "$tool" train --resume --out "$run"
        else
            "$tool" train "$repository/train/experiments/reid.toml" --out "$run" --seed "$seed" --set "${changes[$variant]}"
        fi
        [[ -f $run/summary.json ]] || exit 130 # interrupted
    done
done
cd "$repository" && cargo run --release --quiet -p train --example summarise -- "$OLDPWD/runs/reid"
