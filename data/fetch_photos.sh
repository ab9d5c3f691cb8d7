#!/usr/bin/env bash
# Fetches photographs into FOLDER (default: photos), for procedural scenes whose surfaces wear them:
#
#   mutualformer synth sod --out set --count 8 --photos photos
#   data.train = [{ scenes = { seed = 1, first = 0, count = 800, photos = "photos" } }]
#
# They come from Debian's python3-skimage and opencv-doc (both in Debian's main section, so free to use; FOLDER/LICENCES says
# more). The two pictures that fetch_samples.sh takes to predict on are left out, and everything that is no photograph.
# The packages are downloaded and unpacked, not installed; root is not needed.
set -euo pipefail

if [[ $# -gt 1 || "${1:-}" == -* ]]; then
    echo "usage: $0 [FOLDER]" >&2
    exit 2
fi
photos=$(realpath -m "${1:-photos}")
source "$(dirname "${BASH_SOURCE[0]}")/debian_package.sh"

skimage=(astronaut.png brick.png camera.png chelsea.png coffee.png coins.png color.png gravel.png grass.png
    hubble_deep_field.jpg ihc.png moon.png retina.jpg rocket.jpg)
opencv=(aero1.jpg aero3.jpg apple.jpg baboon.jpg basketball1.png board.jpg box.png box_in_scene.png building.jpg butterfly.jpg
    cards.png chicky_512.png fruits.jpg gradient.png graf1.png graf3.png HappyFish.jpg home.jpg left01.jpg leuvenA.jpg messi5.jpg
    orange.jpg rubberwhale1.png smarties.png squirrel_cls.jpg starry_night.jpg stuff.jpg)

mkdir -p "$photos"
# take PACKAGE FILE…: copies those that this release of the package has.
take() {
    local package=$1 file found
    unpack "$package"
    for file in "${@:2}"; do
        found=$(find "$work/$package" -name "$file" -print -quit)
        if [[ -n $found ]]; then cp "$found" "$photos/$package-$file"; else echo "$package has no $file: left out"; fi
    done
    { echo "== $package"; cat "$work/$package/usr/share/doc/$package/copyright"; } >>"$work/licences"
}
take python3-skimage "${skimage[@]}"
take opencv-doc "${opencv[@]}"
mv "$work/licences" "$photos/LICENCES"
echo "$(find "$photos" -name '*.*' -type f | wc -l) photographs in $photos"
