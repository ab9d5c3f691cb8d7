"""A detector trained by `mutualformer` predicts in PyTorch: its best.safetensors is loaded by load_state_dict, strictly, and
both predict the same picture. For development only: nothing at build or run time needs Python.

    pip install torch safetensors numpy pillow
    mutualformer demo --out runs/demo
    mutualformer synth sod --out scenes --count 1 --size 96 --seed 9
    python train/bench/load_run_in_pytorch.py runs/demo scenes/RGB/NAME.jpg scenes/depth/NAME.png

Prints the largest differences: of what the networks are fed, of logits, of saliency, and of the map that `mutualformer
predict` writes, in its 256 levels. It builds the Rust side by cargo. Both sides read a PNG of the picture: decoders of JPEG
differ by a level here and there.
"""

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from pytorch_tiny import TinySod

ROOT = Path(__file__).resolve().parents[2]
FARTHEST = 8 / 255  # where data/src/depth.rs puts the farthest pixel, clear of 0, which is "missing"


def network(weights):
    """The network of a run's file; its configuration stands in the file's metadata."""
    with safe_open(weights, "pt") as file:
        config = tomllib.loads(file.metadata()["config"])
    model, data = config["model"], config["data"]
    assert model["name"] == "tiny" and model["fusion"] == "cda", "TinySod is the demo's network"
    net = TinySod(model["widths"], model["decoder"], model["num_heads"])
    net.load_state_dict(load_file(weights), strict=True)
    return net.eval(), data["size"]


def inputs(rgb, depth):
    """The two pictures as the network is fed them, [1, 3, H, W] and [1, 1, H, W]."""
    colour = np.asarray(Image.open(rgb).convert("RGB"), dtype=np.float32) / 255
    colour = (colour - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])  # ImageNet's
    stored = np.asarray(Image.open(depth), dtype=np.float32)
    measured = stored > 0
    low, high = stored[measured].min(), stored[measured].max()
    near = FARTHEST + (1 - FARTHEST) * (stored - low) / (high - low)
    near = np.where(measured, near, 0)  # near = 1, missing = 0
    pair = colour.transpose(2, 0, 1)[None], (2 * near - 1)[None, None]
    return [torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)) for x in pair]


def cargo(*arguments):
    subprocess.run(["cargo", "run", "--quiet", *map(str, arguments)], cwd=ROOT, check=True)


def largest(a, b):
    return (a - b).abs().max().item()


@torch.no_grad()
def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    run, rgb, depth = (Path(argument).resolve() for argument in sys.argv[1:])
    net, size = network(run / "best.safetensors")
    folder = Path(tempfile.mkdtemp())
    Image.open(rgb).convert("RGB").save(folder / "rgb.png")
    rgb = folder / "rgb.png"
    pair = inputs(rgb, depth)
    assert pair[0].shape[2:] == (size, size), f"take a picture of {size} x {size} pixels: resizing is not compared here"
    logits = net(*pair)["logits"][0]
    saliency = logits.sigmoid()
    floats, png = folder / "ours.safetensors", folder / "ours.png"
    cargo("-p", "train", "--example", "export_prediction", "--", run, rgb, depth, floats)
    cargo("--", "predict", "--run", run, "--rgb", rgb, "--depth", depth, "--out", png)
    ours, levels = load_file(floats), np.asarray(Image.open(png), dtype=int)
    shutil.rmtree(folder)
    entries, values = len(net.state_dict()), sum(p.numel() for p in net.parameters())
    print(f"torch {torch.__version__}: {entries} entries loaded, {values} learned values")
    print(f"saliency from {saliency.min():.3f} to {saliency.max():.3f}, logits up to {logits.abs().max():.2f}")
    print(f"inputs differ by {max(largest(pair[0], ours['rgb']), largest(pair[1], ours['depth'])):.1e} at most")
    print(f"logits differ by {largest(logits, ours['logits']):.1e}")
    print(f"saliency differs by {largest(saliency, ours['logits'].sigmoid()):.1e}")
    theirs = (255 * saliency[0, 0]).round().int().numpy()
    apart = np.abs(theirs - levels)
    print(f"the written maps differ in {(apart > 0).sum()} of {apart.size} pixels, by {apart.max()} of 255 at most")


if __name__ == "__main__":
    main()
