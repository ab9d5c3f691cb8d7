"""models/src/sod/tiny.rs in PyTorch, under the same names: its state_dict is what a run's best.safetensors holds. For
development only: nothing at build or run time needs Python.
"""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "fixtures"))
from load_in_pytorch import Block  # noqa: E402


def resize(x, like):
    size = like if isinstance(like, (tuple, list)) else like.shape[2:]
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def tokens(x):
    """[B, C, h, w] to [B, h w, C]."""
    return x.flatten(2).transpose(1, 2)


class ConvBn(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class MutualLevel(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.a = nn.Linear(2 * dim, dim)
        self.block = Block(dim, num_heads)

    def forward(self, r, d):
        x = tokens(torch.cat([r, d], dim=1))  # [B, N, 2C]
        return self.block(x, self.a(x)).transpose(1, 2).reshape(r.shape)


class TinySod(nn.Module):
    """Normalised RGB [B, 3, S, S] and depth [B, 1, S, S] to logits [B, 1, S, S], and side logits at /8 and /16."""

    def __init__(self, widths=(24, 48, 96, 128), width=32, num_heads=8):
        super().__init__()
        w2, w4, w8, w16 = widths

        def stem(inputs):
            sizes = [inputs, *widths]
            return nn.Sequential(*(ConvBn(sizes[i], sizes[i + 1], 3, stride=2) for i in range(4)))

        def head():
            return nn.Conv2d(width, 1, 3, padding=1)

        self.stem_r, self.stem_d = stem(3), stem(1)
        self.mutual8, self.mutual16 = MutualLevel(w8, num_heads), MutualLevel(w16, num_heads)
        self.lateral2, self.lateral4 = ConvBn(2 * w2, width, 1), ConvBn(2 * w4, width, 1)
        self.lateral8, self.lateral16 = ConvBn(w8, width, 1), ConvBn(w16, width, 1)
        self.merge2, self.merge4, self.merge8 = (ConvBn(width, width, 3) for _ in range(3))
        self.head, self.side8, self.side16 = head(), head(), head()

    @staticmethod
    def features(stem, x):
        """Maps at /2, /4, /8 and /16."""
        maps = []
        for conv in stem:
            x = conv(x)
            maps.append(x)
        return maps

    def forward(self, rgb, depth):
        r2, r4, r8, r16 = self.features(self.stem_r, rgb)
        d2, d4, d8, d16 = self.features(self.stem_d, depth)

        def merged(lateral, merge, fine, coarse):
            fine = lateral(fine)
            return merge(fine + resize(coarse, fine))

        y16 = self.lateral16(self.mutual16(r16, d16))
        y8 = merged(self.lateral8, self.merge8, self.mutual8(r8, d8), y16)
        y4 = merged(self.lateral4, self.merge4, torch.cat([r4, d4], dim=1), y8)
        y2 = merged(self.lateral2, self.merge2, torch.cat([r2, d2], dim=1), y4)
        logits = resize(self.head(y2), rgb)
        return {"logits": [logits], "sides": [self.side8(y8), self.side16(y16)], "streams": []}
