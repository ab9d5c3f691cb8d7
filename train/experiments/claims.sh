#!/usr/bin/env bash
# The experiments of paper-repro.md, sections 7 to 9, on procedural scenes; nothing has to be fetched.
#
#   train/experiments/claims.sh training      every variant below, seeds 1 to 3: 42 s a run on one idle core
#   train/experiments/claims.sh gap           what the trained networks do when one modality's features are changed
#   train/experiments/claims.sh curves        time and memory of CA and CDA against the number of tokens: an idle machine
#   train/experiments/claims.sh tables        the tables, from the numbers that the others left
#   train/experiments/claims.sh               all of them
#
# Runs go to runs/claims/VARIANT-SEED of the current folder; a finished run is skipped and an interrupted one goes on, so the script
# can be restarted. The numbers are kept in train/experiments/results, the tables are printed.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
results=$repository/train/experiments/results
tool=${MUTUALFORMER:-$repository/target/release/mutualformer}
[[ -n ${MUTUALFORMER:-} ]] || (cd "$repository" && cargo build --release --quiet)

# VARIANT: what it changes in train/experiments/claims.toml, "nothing" for the released reading.
variants=(
    "cda: nothing"
    "ca: model.fusion=ca"
    "ca+cda: model.fusion=ca+cda"
    "concat: model.fusion=concat"
    "sum: model.fusion=sum"
    "paper: model.cda.preset=paper"
    "alpha-0.0: model.cda.alpha=0.0"
    "alpha-0.2: model.cda.alpha=0.2"
    "alpha-0.4: model.cda.alpha=0.4"
    "alpha-0.8: model.cda.alpha=0.8"
    "alpha-1.0: model.cda.alpha=1.0"
    "steps-2: model.cda.steps=2"
    "steps-3: model.cda.steps=3"
    "steps-5: model.cda.steps=5"
    "steps-inf: model.cda.steps=inf"
    "start-affinity: model.cda.init=affinity"
    "affinity-cross: model.cda.affinity=cross"
    "norm-degree: model.cda.norm=degree"
    "renormalised: model.cda.renormalise_rows=true"
    "no-third-branch: model.third_branch=false"
    "separate-norms: model.joint_norm=false"
    "figure: model.cda.preset=paper model.joint_norm=false model.third_branch=false"
    "rgb: model.modality=rgb"
    "depth: model.modality=depth"
    "coarse: model.scales=coarse"
    "fine: model.scales=fine"
)

training() {
    mkdir -p "$results/claims"
    for seed in 1 2 3; do
        for line in "${variants[@]}"; do
            local variant=${line%%: *} changes=() change
            for change in ${line#*: }; do
                [[ $change == nothing ]] || changes+=(--set "$change")
            done
            local run=runs/claims/$variant-$seed
            if [[ ! -f $run/summary.json ]]; then
                echo "== $run"
                if [[ -f $run/last.state.safetensors ]]; then
                    "$tool" train --resume --out "$run" --threads "${THREADS:-2}"
                else
                    "$tool" train "$repository/train/experiments/claims.toml" --out "$run" --seed "$seed" --threads "${THREADS:-2}" "${changes[@]}"
                fi
                [[ -f $run/summary.json ]] || exit 130 # interrupted
            fi
            cp "$run/summary.json" "$results/claims/$variant-$seed.json"
        done
    done
}

example() { (cd "$repository" && cargo run --release --quiet -p train --example "$1" -- "${@:2}"); }

# Numbers that are there already are kept; remove their files to measure again.
gap() { example modality_gap "$PWD/runs/claims" "$results/modality-gap"; }

curves() {
    mkdir -p "$results/curves"
    "$tool" bench curve --fusions ca,cda --paths plain,fast --out "$results/curves" | tee "$results/curves/curve.txt"
}

tables() { example claims "$results"; }

case ${1:-all} in
    training | gap | curves | tables) "$1" ;;
    all) training; gap; curves; tables ;;
    *) sed -n '2,/^set -e/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
