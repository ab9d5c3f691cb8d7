#!/usr/bin/env bash
# Fetches two real RGB-D pictures into FOLDER (default: samples) in the public layout, to predict on:
#
#   FOLDER/RGB/motorcycle.png  FOLDER/depth/motorcycle.png    from Debian's python3-skimage
#   FOLDER/RGB/aloe.jpg        FOLDER/depth/aloe.png          from Debian's opencv-doc
#
# Both are Middlebury stereo scenes. The packages are downloaded and unpacked, not installed; root is not needed.
# A second run fetches only what is missing.
set -euo pipefail

if [[ $# -gt 1 || "${1:-}" == -* ]]; then
    echo "usage: $0 [FOLDER]" >&2
    exit 2
fi
samples=$(realpath -m "${1:-samples}")
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$repository/data/debian_package.sh"
mkdir -p "$samples/RGB" "$samples/depth"

# Prints the path of a file in an unpacked package, wherever the package keeps it.
find_in() {
    local package=$1 file=$2 found
    found=$(find "$work/$package" -name "$file" -print -quit)
    [[ -n $found ]] || fail "this release's $package does not contain $file"
    echo "$found"
}

# Takes one picture and its disparity: NAME PACKAGE COLOUR_FILE DISPARITY_FILE.
fetch() {
    local name=$1 package=$2 colour_file=$3 disparity_file=$4 colour disparity
    local rgb="$samples/RGB/$name.${colour_file##*.}" depth="$samples/depth/$name.png"
    if [[ -f $rgb && -f $depth ]]; then
        echo "$name is there already"
        return
    fi
    unpack "$package"
    colour=$(find_in "$package" "$colour_file")
    disparity=$(find_in "$package" "$disparity_file")
    (cd "$repository" && cargo run --release --quiet -- \
        import-depth "$disparity" --format disparity --out "$depth")
    cp "$colour" "$rgb.part" && mv "$rgb.part" "$rgb"
    echo "$name: $rgb, $depth"
}

fetch motorcycle python3-skimage motorcycle_left.png motorcycle_disp.npz
fetch aloe opencv-doc aloeL.jpg aloeGT.png
