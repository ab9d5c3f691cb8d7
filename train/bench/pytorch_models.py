"""Our networks in PyTorch, to compare speeds. For development only: nothing at build or run time needs Python.

They compute what the Rust networks compute, and have as many parameters; `pytorch_side.py` asserts the count. Initial
values differ (PyTorch's own): speed does not depend on them.

    Block                  tests/fixtures/load_in_pytorch.py (the released block)
    ReassociatedBlock      the same numbers with other products: no N x N cross-affinity is formed
    TinySod                pytorch_tiny.py: models/src/sod/tiny.rs, configuration `demo`
    MutualSod              models/src/sod/mutual.rs on a torchvision trunk
    detection_loss         train/src/losses.rs
"""

import sys
from pathlib import Path

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "fixtures"))
from load_in_pytorch import ALPHA, Block, CrossDiffusion  # noqa: E402

from pytorch_tiny import TinySod, resize, tokens  # noqa: E402


class ReassociatedDiffusion(CrossDiffusion):
    """X_rd V_d = a P_r' (P_d V_d) + (1 - a) (P_r V_d + P_d V_d), and a fused third attention."""

    def forward(self, n_r, n_d, m):
        p_r, v_r = self.attend(self.qkv_r(n_r))
        p_d, v_d = self.attend(self.qkv_d(n_d))
        both = torch.cat([v_r, v_d], dim=-1)  # [B, H, N, 2d]
        o_r, r_d = (p_r @ both).chunk(2, dim=-1)  # P_r V_r, P_r V_d
        d_r, o_d = (p_d @ both).chunk(2, dim=-1)  # P_d V_r, P_d V_d
        u_rd = ALPHA * (p_r.transpose(-2, -1) @ o_d) + (1 - ALPHA) * (r_d + o_d)
        u_dr = ALPHA * (p_d.transpose(-2, -1) @ o_r) + (1 - ALPHA) * (o_r + d_r)
        side_r = self.proj_r(torch.cat([self.merge(o_r), self.merge(u_rd)], dim=-1))
        side_d = self.proj_d(torch.cat([self.merge(o_d), self.merge(u_dr)], dim=-1))
        b, n, c = m.shape
        q, k, v = self.qkv(m).view(b, n, 3, self.num_heads, c // self.num_heads).permute(2, 0, 3, 1, 4)
        third = F.scaled_dot_product_attention(q, k, v)
        return self.proj(self.merge(third)) + self.proj_rd(torch.cat([side_r, side_d], dim=-1))


class ReassociatedBlock(Block):
    def __init__(self, dim, num_heads):
        super().__init__(dim, num_heads)
        self.attn = ReassociatedDiffusion(dim, num_heads)


def conv_bn(inputs, outputs, kernel, stride=1, bias=False, relu=True):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


class Trunk(nn.Module):
    """Feature maps at /4, /8, /16 and /32."""

    def __init__(self, name):
        super().__init__()
        if name == "resnet50":
            net = torchvision.models.resnet50()
            stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
            self.stages = nn.ModuleList([stem, net.layer2, net.layer3, net.layer4])
            self.channels = [256, 512, 1024, 2048]
        else:
            layers = torchvision.models.mobilenet_v2().features
            self.stages = nn.ModuleList([layers[:4], layers[4:7], layers[7:14], layers[14:18]])
            self.channels = [24, 32, 96, 320]

    def forward(self, x):
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class Cfm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.h = nn.ModuleList(conv_bn(width, width, 3, bias=True) for _ in range(4))
        self.v = nn.ModuleList(conv_bn(width, width, 3, bias=True) for _ in range(4))

    def forward(self, left, down):
        h1 = self.h[0](left)
        v1 = self.v[0](resize(down, left))
        f = self.h[1](h1) * self.v[1](v1)
        return self.h[3](self.h[2](f) + h1), self.v[3](self.v[2](f) + v1)


class Decoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.cfm45, self.cfm34, self.cfm23 = (Cfm(width) for _ in range(3))

    def forward(self, maps, feedback=None):
        """Maps at /4 to /32 and an earlier prediction to (cleaned maps, prediction)."""
        if feedback is not None:
            maps = [x + resize(feedback, x) for x in maps]
        x2, x3, x4, x5 = maps
        h4, v4 = self.cfm45(x4, x5)
        h3, v3 = self.cfm34(x3, v4)
        h2, prediction = self.cfm23(x2, v3)
        return [h2, h3, h4, x5], prediction


def head(width):
    return nn.Conv2d(width, 1, 3, padding=1)


class Stream(nn.Module):
    def __init__(self, trunk, width):
        super().__init__()
        self.trunk = Trunk(trunk)
        self.squeeze = nn.ModuleList(conv_bn(c, width, 1, bias=True) for c in self.trunk.channels)
        self.decoder, self.linearp = Decoder(width), head(width)

    def forward(self, x):
        squeezed = [squeeze(x) for squeeze, x in zip(self.squeeze, self.trunk(x))]
        maps, prediction = self.decoder(squeezed)
        return maps, self.linearp(prediction)


class FuseLevel(nn.Module):
    def __init__(self, width, num_heads, patch, step, blocks=2):
        super().__init__()
        self.a = conv_bn(2 * width, width, 1, bias=True, relu=False)
        self.embed = nn.Conv2d(width, width, patch, step)
        self.blocks = nn.ModuleList(Block(width, num_heads) for _ in range(blocks))
        self.out = conv_bn(width, width, 1, bias=True)

    def forward(self, r, d):
        a = self.a(torch.cat([r, d], dim=1))
        e_r, e_d, e_a = self.embed(r), self.embed(d), self.embed(a)
        x, h = tokens(torch.cat([e_r, e_d], dim=1)), tokens(e_a)
        for block in self.blocks:
            h = block(x, h)
        return a + self.out(resize(h.transpose(1, 2).reshape(e_a.shape), a))


class MutualSod(nn.Module):
    def __init__(self, trunk, width=64, num_heads=8):
        super().__init__()
        self.rgb, self.depth = Stream(trunk, width), Stream(trunk, width)
        sizes = [(8, 4), (4, 2), (2, 1)]  # patch and step at /8, /16 and /32
        self.fuse = nn.ModuleList(FuseLevel(width, num_heads, patch, step) for patch, step in sizes)
        self.decoders = nn.ModuleList(Decoder(width) for _ in range(2))
        self.heads = nn.ModuleList(head(width) for _ in range(2))
        self.sides = nn.ModuleList(head(width) for _ in range(4))

    def forward(self, rgb, depth):
        r, prediction_r = self.rgb(rgb)
        d, prediction_d = self.depth(depth.expand_as(rgb))
        maps = [r[0] + d[0]] + [fuse(r, d) for fuse, r, d in zip(self.fuse, r[1:], d[1:])]
        logits, prediction = [], None
        for decoder, head in zip(self.decoders, self.heads):
            maps, prediction = decoder(maps, prediction)
            logits.append(resize(head(prediction), rgb))
        return {
            "logits": logits[::-1],
            "sides": [head(x) for head, x in zip(self.sides, maps)],
            "streams": [resize(p, rgb) for p in (prediction_r, prediction_d)],
        }


def bce_iou(logits, truth):
    p = logits.sigmoid()
    both = (p * truth).sum(dim=(1, 2, 3))
    union = (p + truth).sum(dim=(1, 2, 3)) - both
    return F.binary_cross_entropy_with_logits(logits, truth) + 1 - ((both + 1) / (union + 1)).mean()


def detection_loss(output, truth):
    loss = sum(bce_iou(logits, truth) for logits in output["logits"]) / len(output["logits"])
    for i, side in enumerate(output["sides"], start=1):
        loss = loss + bce_iou(side, F.adaptive_avg_pool2d(truth, side.shape[2:])) / 2**i
    return loss + sum(bce_iou(stream, truth) for stream in output["streams"])


# Name of a configuration: (network, its learned parameters in Rust).
NETWORKS = {
    "demo": (TinySod, 1_037_283),
    "mutualformer-resnet50": (lambda: MutualSod("resnet50"), 52_049_736),
    "mutualformer-mobilenetv2": (lambda: MutualSod("mobilenetv2"), 8_225_992),
}


def detector(name):
    build, parameters = NETWORKS[name]
    net = build()
    found = sum(p.numel() for p in net.parameters())
    assert found == parameters, f"{name}: {found} parameters, in Rust {parameters}"
    return net
