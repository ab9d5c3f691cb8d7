#!/usr/bin/env bash
# Does the network need both modalities? The demo's network on both inputs, on RGB alone and on depth alone, three seeds
# each, 8 epochs; scored on the demo's 200 unseen scenes by kind. About 2 minutes a run on 2 idle cores.
# Runs go to runs/modalities/MODALITY-SEED; finished ones are kept, so the script can be restarted.
set -euo pipefail
cd "$(dirname "$0")/../.."
tool=${MUTUALFORMER:-target/release/mutualformer}
[[ -n ${MUTUALFORMER:-} ]] || cargo build --release --quiet

for seed in 1 2 3; do
    for modality in both rgb depth; do
        run=runs/modalities/$modality-$seed
        [[ -f $run/summary.json ]] && continue
        echo "== $run"
        "$tool" train demo --out "$run" --seed "$seed" --set model.modality="$modality" --set train.epochs=8
        [[ -f $run/summary.json ]] || exit 130  # interrupted
    done
done
cargo run --release --quiet -p train --example summarise -- runs/modalities
