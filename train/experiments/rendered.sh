#!/usr/bin/env bash
# The table of paper-repro.md, section 5: five ways to look at rendered scenes of scanned objects, three seeds each, scored on
# objects that no run has seen. About 4 minutes a run on 2 idle cores.
#
#   train/experiments/rendered.sh        needs, in the current folder:
#     rendered/{train,val,test}/{RGB,depth,GT}/       RGB-D sets; test/shapes.csv has a line `name,shape` for each picture
#     weights/mobilenet_v2-b0353104.pth               data/fetch_weights.sh
#
# Runs go to runs/rendered/VARIANT-SEED. Each leaves its numbers in summary.json and test.csv as soon as it ends; what is
# finished is skipped, so the script can be restarted. The summary at the end counts the finished runs only.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tool=${MUTUALFORMER:-$repository/target/release/mutualformer}
[[ -n ${MUTUALFORMER:-} ]] || (cd "$repository" && cargo build --release --quiet)

declare -A changes=(
    [cda]="model.fusion=cda"
    [ca]="model.fusion=ca"
    [concat]="model.fusion=concat"
    [rgb]="model.modality=rgb"
    [depth]="model.modality=depth"
)
for seed in 1 2 3; do
    for variant in cda ca concat rgb depth; do
        run=runs/rendered/$variant-$seed
        [[ -f $run/test.csv ]] && continue
        echo "== $run"
        "$tool" train "$repository/train/experiments/rendered.toml" --out "$run" --seed "$seed" --set "${changes[$variant]}"
        [[ -f $run/summary.json ]] || exit 130 # interrupted
        "$tool" predict --run "$run" --rgb rendered/test/RGB --depth rendered/test/depth --out "$run/maps"
        "$tool" score sod --pred "$run/maps" --gt rendered/test/GT --csv "$run/test.csv.part"
        mv "$run/test.csv.part" "$run/test.csv"
    done
done
cd "$repository" && cargo run --release --quiet -p train --example summarise -- "$OLDPWD/runs/rendered" "$OLDPWD/rendered/test/shapes.csv"
