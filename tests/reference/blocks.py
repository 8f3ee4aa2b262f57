"""The VAE's residual and attention blocks, with parameters named as in an LDM state dict."""

import torch
import torch.nn.functional as F

EPS = 1e-6


def conv(x, p, name, padding):
    """x [N, H, W, C]; weight [kH, kW, Cin, Cout]."""
    weight = p[f"{name}.weight"].permute(3, 2, 0, 1)
    return F.conv2d(x.movedim(-1, 1), weight, p[f"{name}.bias"], padding=padding).movedim(1, -1)


def norm(x, p, name, groups):
    y = F.group_norm(x.movedim(-1, 1), groups, p[f"{name}.weight"], p[f"{name}.bias"], EPS)
    return y.movedim(1, -1)


def resblock(p, groups):
    x = p["x"]
    h = conv(F.silu(norm(x, p, "norm1", groups)), p, "conv1", 1)
    h = conv(F.silu(norm(h, p, "norm2", groups)), p, "conv2", 1)
    return h + (conv(x, p, "nin_shortcut", 0) if "nin_shortcut.weight" in p else x)


def attention_block(p, groups):
    x = p["x"]
    n, height, width, channels = x.shape
    h = norm(x, p, "norm", groups)
    q, k, v = (conv(h, p, name, 0).reshape(n, height * width, channels) for name in "qkv")
    mixed = F.softmax(q @ k.mT * channels**-0.5, -1) @ v
    return x + conv(mixed.reshape(x.shape), p, "proj_out", 0)


def norm_parameters(draw, name, channels):
    return {
        f"{name}.weight": draw.normal(channels, mean=1, std=0.2),
        f"{name}.bias": draw.normal(channels, std=0.2),
    }


def conv_parameters(draw, name, kernel, cin, cout):
    return {
        f"{name}.weight": draw.normal(kernel, kernel, cin, cout, std=(kernel * kernel * cin) ** -0.5),
        f"{name}.bias": draw.normal(cout, std=0.2),
    }


def add_blocks(f):
    for size, cin, cout, groups in [((2, 3, 5), 6, 6, 3), ((1, 5, 4), 4, 8, 2)]:
        tensors = {
            "x": f.draw.normal(*size, cin),
            **norm_parameters(f.draw, "norm1", cin),
            **conv_parameters(f.draw, "conv1", 3, cin, cout),
            **norm_parameters(f.draw, "norm2", cout),
            **conv_parameters(f.draw, "conv2", 3, cout, cout),
        }
        if cin != cout:
            tensors.update(conv_parameters(f.draw, "nin_shortcut", 1, cin, cout))
        f.block("resblock", tensors, lambda p: resblock(p, groups), groups=groups, eps=EPS)
    for size, channels, groups in [((2, 3, 3), 6, 3), ((1, 5, 2), 8, 2)]:
        tensors = {"x": f.draw.normal(*size, channels), **norm_parameters(f.draw, "norm", channels)}
        for name in ["q", "k", "v", "proj_out"]:
            tensors.update(conv_parameters(f.draw, name, 1, channels, channels))
        f.block("attentionBlock", tensors, lambda p: attention_block(p, groups), groups=groups, eps=EPS)
