"""What `mutualformer bench ... --json` measures, measured in PyTorch: same arguments, same keys. For development only:
nothing at build or run time needs Python.

    pip install torch torchvision
    pip install numpy safetensors
    python train/bench/pytorch_side.py block --batch 4 --tokens 196 --dim 384 --heads 6 --threads 2

As ours: f32 on the CPU, one call to warm up, then medians; cotangent of ones for the block and the trunk, random for
convolutions; gradients are fresh in every repetition. `start_mb` is the resident set before the work, after the imports.
"""

import argparse
import json
import math
import statistics
import time

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

import pytorch_models as models

STANDARD = [(1, 1024, 1024, 1024), (1, 2048, 2048, 2048), (1, 784, 64, 784), (1, 196, 768, 768), (32, 196, 64, 196)]


def memory_mb(name):
    """VmRSS or VmHWM of this process in MiB."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith(name))
    return int(line.split()[1]) / 1024


def timed(f):
    start = time.perf_counter()
    result = f()
    return (time.perf_counter() - start) * 1e3, result


def medians(repeat, run):
    """Medians of the times that `run` returns, after one call to warm up."""
    run()
    rows = [run() for _ in range(repeat)]
    return [statistics.median(column) for column in zip(*rows)]


def forget_gradients(*things):
    for thing in things:
        if isinstance(thing, nn.Module):
            thing.zero_grad(set_to_none=True)
        else:
            thing.grad = None


def gemm(args):
    shapes = []
    for batch, m, k, n in STANDARD if args.all else [(args.batch, args.m, args.k, args.n)]:
        a, b = torch.randn(batch, m, k), torch.randn(batch, k, n)
        if batch == 1:
            a, b = a[0], b[0]
        (ms,) = medians(args.repeat, lambda a=a, b=b: [timed(lambda: a @ b)[0]])
        shapes.append({"batch": batch, "m": m, "k": k, "n": n, "ms": ms, "gflops": 2e-6 * batch * m * k * n / ms})
    mean = math.exp(statistics.fmean(math.log(shape["gflops"]) for shape in shapes))
    return {"shapes": shapes, "ms": sum(shape["ms"] for shape in shapes), "gflops": mean}


def block(args):
    kind = models.ReassociatedBlock if args.reassociated else models.Block
    if args.reassociated:
        check_reassociation()
    net = kind(args.dim, args.heads)
    x = torch.randn(args.batch, args.tokens, 2 * args.dim, requires_grad=True)
    x_rd = torch.randn(args.batch, args.tokens, args.dim, requires_grad=True)

    def run():
        forget_gradients(net, x, x_rd)
        forward, y = timed(lambda: net(x, x_rd))
        backward, _ = timed(lambda: y.backward(torch.ones_like(y)))
        return forward, backward

    forward, backward = medians(args.repeat, run)
    return {"forward_ms": forward, "backward_ms": backward}


def check_reassociation():
    """The other order of the products gives the same block."""
    torch.manual_seed(0)
    plain, other = models.Block(16, 4).double(), models.ReassociatedBlock(16, 4).double()
    other.load_state_dict(plain.state_dict())
    x, x_rd = torch.randn(2, 9, 32).double(), torch.randn(2, 9, 16).double()
    assert torch.allclose(plain(x, x_rd), other(x, x_rd), rtol=1e-12, atol=1e-12)


def network_convolutions(name, size):
    """Every convolution that torchvision's network runs: (in, out, kernel, stride, size, groups, first)."""
    net = {"resnet50": torchvision.models.resnet50, "mobilenetv2": torchvision.models.mobilenet_v2}[name]().eval()
    found = []

    def note(conv, inputs, _):
        shape = (conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0])
        found.append((*shape, inputs[0].shape[-1], conv.groups, not found))

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    with torch.no_grad():
        net(torch.zeros(1, 3, size, size))
    return found


def conv(args):
    found = network_convolutions(args.net, args.size)
    lines = []
    for shape in dict.fromkeys(found):
        forward, backward = one_conv(shape, args.batch, args.repeat)
        names = ["in", "out", "kernel", "stride", "size", "groups"]
        line = dict(zip(names, shape), batch=args.batch, count=found.count(shape), input_gradient=not shape[-1])
        lines.append({**line, "forward_ms": forward, "backward_ms": backward})
    sums = {key: sum(line["count"] * line[key] for line in lines) for key in ("forward_ms", "backward_ms")}
    return {"shapes": lines, **sums}


def one_conv(shape, batch, repeat):
    inputs, outputs, kernel, stride, size, groups, first = shape
    x = torch.randn(batch, inputs, size, size, requires_grad=not first)
    weight = torch.randn(outputs, inputs // groups, kernel, kernel, requires_grad=True)
    dy = torch.randn_like(F.conv2d(x, weight, None, stride, kernel // 2, 1, groups).detach())

    def run():
        forget_gradients(x, weight)
        forward, y = timed(lambda: F.conv2d(x, weight, None, stride, kernel // 2, 1, groups))
        backward, _ = timed(lambda: y.backward(dy))
        return forward, backward

    return medians(repeat, run)


def trunk(args):
    net = models.Trunk(args.net).train()
    x = torch.randn(args.batch, 3, args.size, args.size)

    def run():
        forget_gradients(net)
        forward, maps = timed(lambda: net(x))
        backward, _ = timed(lambda: maps[-1].backward(torch.ones_like(maps[-1])))
        return forward, backward

    forward, backward = medians(args.repeat, run)
    return {"forward_ms": forward, "backward_ms": backward, "parameters": sum(p.numel() for p in net.parameters())}


def sod(args):
    net = models.detector(args.config).train()
    decayed = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=2e-3)
    rgb, depth = torch.randn(args.batch, 3, args.size, args.size), torch.randn(args.batch, 1, args.size, args.size)
    truth = torch.zeros_like(depth)
    truth[..., : args.size // 2] = 1

    def run():
        optimizer.zero_grad(set_to_none=True)
        forward, loss = timed(lambda: models.detection_loss(net(rgb, depth), truth))
        backward, _ = timed(loss.backward)
        update, _ = timed(optimizer.step)
        return forward, backward, update, forward + backward + update

    forward, backward, update, step = medians(args.repeat, run)
    parameters = sum(p.numel() for p in net.parameters())
    times = {"forward_ms": forward, "backward_ms": backward, "update_ms": update, "step_ms": step}
    return {**times, "parameters": parameters}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, repeat, **numbers):
        sub = commands.add_parser(name)
        sub.add_argument("--repeat", type=int, default=repeat)
        sub.add_argument("--threads", type=int, default=2)
        for option, default in numbers.items():
            sub.add_argument(f"--{option}", type=int, default=default)
        return sub

    command("gemm", 11, m=1024, k=1024, n=1024, batch=1).add_argument("--all", action="store_true")
    command("block", 7, batch=4, tokens=196, dim=384, heads=6).add_argument("--reassociated", action="store_true")
    nets = {"choices": ["resnet50", "mobilenetv2"], "default": "resnet50"}
    command("conv", 5, batch=2, size=256).add_argument("--net", **nets)
    command("trunk", 5, batch=2, size=256).add_argument("--net", **nets)
    command("sod", 5, batch=16, size=96).add_argument("--config", choices=list(models.NETWORKS), default="demo")
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    start_mb = memory_mb("VmRSS")
    work = {"gemm": gemm, "block": block, "conv": conv, "trunk": trunk, "sod": sod}[args.command]
    report = work(args)
    around = {"peak_mb": memory_mb("VmHWM"), "start_mb": start_mb, "threads": torch.get_num_threads()}
    print(json.dumps({**report, **around, "version": torch.__version__}))


if __name__ == "__main__":
    main()
