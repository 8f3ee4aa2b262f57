"""Makes tests/fixtures/ops.{safetensors,json}: PyTorch's numbers for every operation of the library."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from blocks import add_blocks
from fixture import Fixture
from training import add_training

ABOUT = {
    "what": "Inputs, outputs, cotangents w and gradients of sum(output * w), computed by PyTorch in "
    "float64 from float32 inputs and stored as float32. A case's tensors are "
    "<operation>/<index>/{inputs/<i>, output, cotangent, gradients/<i>}.",
    "layout": "The library's own, so that nothing needs a transposition: images [N, H, W, C], "
    "sequences [N, L, C], conv2d weights [kH, kW, Cin, Cout], conv1d weights [k, Cin, Cout]. "
    "Indices (gather's input 1, argmax's output) are whole numbers stored as float32.",
    "blocks": "resblock and attentionBlock: the VAE's blocks; input x and the parameters are named as in "
    "an LDM state dict (weights in the layout above).",
    "adamw": "AdamW after clipping the global norm, learning rate by cosine to 0: tensors "
    "adamw/<index>/{grads/<parameter>/<step>, values/<parameter>/<step>}; step 0 holds the initial values.",
}


def channels_first(x):
    return x.movedim(-1, 1)


def channels_last(x):
    return x.movedim(1, -1)


def elementwise(f):
    normal, uniform = f.draw.normal, f.draw.uniform
    shapes = [((3, 5), (3, 5)), ((2, 3, 5), (5,)), ((3, 1, 7), (1, 5, 1)), ((), (3,)), ((33,), (1,))]
    for name, function in {
        "add": torch.add,
        "sub": torch.sub,
        "mul": torch.mul,
        "maximum": torch.maximum,
        "minimum": torch.minimum,
    }.items():
        for a, b in shapes:
            f.op(name, [normal(*a), normal(*b)], function)
    for a, b in shapes:
        f.op("div", [normal(*a), uniform(*b, low=0.5, high=2)], torch.div)
    for name, function in {
        "exp": torch.exp,
        "silu": F.silu,
        "gelu": lambda x: F.gelu(x, approximate="tanh"),
        "relu": F.relu,
        "sigmoid": torch.sigmoid,
        "softplus": F.softplus,
        "abs": torch.abs,
        "square": torch.square,
        "neg": torch.neg,
    }.items():
        for shape in [(3, 7), (33,), (1, 5, 1)]:
            f.op(name, [normal(*shape, std=3)], function)
    for name, function in {"log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt}.items():
        for shape in [(3, 7), (33,)]:
            f.op(name, [uniform(*shape, low=0.1, high=4)], function)
    for slope in [0.2, 0.01]:
        f.op("leakyRelu", [normal(3, 7)], lambda x: F.leaky_relu(x, slope), slope=slope)
    for low, high in [(-0.5, 0.75), (-30, 20)]:
        f.op("clamp", [normal(33)], lambda x: torch.clamp(x, low, high), min=low, max=high)


def matmuls(f):
    normal = f.draw.normal
    cases = [
        ((1, 1), (1, 1), False, False),
        ((3, 5), (5, 7), False, False),
        ((33, 7), (7, 5), False, False),
        ((5, 3), (5, 7), True, False),
        ((3, 5), (7, 5), False, True),
        ((5, 3), (7, 5), True, True),
        ((8, 16), (16, 12), False, False),
        ((2, 3, 5), (2, 5, 7), False, False),
        ((3, 5, 7), (7, 9), False, False),
        ((3, 5, 7), (9, 7), False, True),
        ((2, 7, 5), (2, 3, 7), True, True),
        ((2, 3, 5, 4), (2, 3, 5, 4), False, True),
    ]
    for a, b, ta, tb in cases:
        def function(x, y):
            return torch.matmul(x.mT if ta else x, y.mT if tb else y)

        f.op("matmul", [normal(*a), normal(*b)], function, transposeA=ta, transposeB=tb)


def convolutions(f):
    for x, weight, stride, (top, bottom, left, right), bias in [
        ((2, 5, 7, 3), (3, 3, 3, 5), 1, (1, 1, 1, 1), True),
        ((1, 3, 5, 7), (1, 1, 7, 3), 1, (0, 0, 0, 0), True),
        ((1, 7, 6, 5), (3, 3, 5, 3), 2, (0, 1, 0, 1), True),
        ((1, 1, 1, 3), (3, 3, 3, 2), 1, (1, 1, 1, 1), True),
        ((1, 9, 7, 3), (7, 7, 3, 4), 2, (3, 3, 3, 3), False),
        ((2, 5, 4, 3), (3, 1, 3, 5), 1, (2, 0, 0, 1), True),
        ((1, 3, 3, 33), (3, 3, 33, 2), 1, (1, 1, 1, 1), False),
        ((1, 4, 4, 8), (3, 3, 8, 12), 1, (1, 1, 1, 1), True),
        ((1, 5, 5, 4), (2, 4, 4, 8), 3, (1, 2, 0, 3), True),
    ]:
        def function(x, w, b=None):
            padded = F.pad(channels_first(x), (left, right, top, bottom))
            return channels_last(F.conv2d(padded, w.permute(3, 2, 0, 1), b, stride))

        inputs = [f.draw.normal(*x), f.draw.normal(*weight, std=0.3)]
        inputs += [f.draw.normal(weight[-1])] if bias else []
        padding = {"top": top, "bottom": bottom, "left": left, "right": right}
        f.op("conv2d", inputs, function, stride=stride, padding=padding)
    for x, weight, stride, (left, right), mode, bias in [
        ((2, 7, 3), (1, 3, 5), 1, (0, 0), "zeros", True),
        ((2, 9, 3), (9, 3, 3), 1, (4, 4), "circular", True),
        ((1, 5, 4), (9, 4, 8), 1, (4, 4), "circular", False),
        ((1, 8, 5), (3, 5, 3), 2, (1, 1), "zeros", True),
        ((2, 5, 3), (4, 3, 2), 1, (3, 0), "zeros", True),
        ((1, 7, 3), (3, 3, 4), 2, (0, 2), "circular", True),
    ]:
        def function(x, w, b=None):
            how = {"zeros": "constant", "circular": "circular"}[mode]
            padded = F.pad(channels_first(x), (left, right), how)
            return channels_last(F.conv1d(padded, w.permute(2, 1, 0), b, stride))

        inputs = [f.draw.normal(*x), f.draw.normal(*weight, std=0.3)]
        inputs += [f.draw.normal(weight[-1])] if bias else []
        f.op("conv1d", inputs, function, stride=stride, padding={"left": left, "right": right},
             paddingMode=mode)


def norms(f):
    normal = f.draw.normal

    def inputs(shape, bias=True):
        x = [normal(*shape, mean=0.5, std=2), normal(shape[-1], mean=1, std=0.3)]
        return x + ([normal(shape[-1])] if bias else [])

    for shape, groups, eps in [
        ((2, 3, 5, 6), 3, 1e-6),
        ((1, 5, 7, 8), 2, 1e-6),
        ((2, 3, 1, 33), 11, 1e-5),
        ((2, 5, 6), 1, 1e-6),
        ((1, 3, 3, 5), 5, 1e-6),
    ]:
        def function(x, gamma, beta):
            return channels_last(F.group_norm(channels_first(x), groups, gamma, beta, eps))

        f.op("groupNorm", inputs(shape), function, groups=groups, eps=eps)
    for shape, eps in [((3, 7), 1e-5), ((2, 3, 33), 1e-6), ((5, 8), 1e-5)]:
        f.op("layerNorm", inputs(shape), lambda x, g, b: F.layer_norm(x, g.shape, g, b, eps), eps=eps)
        f.op("rmsNorm", inputs(shape, bias=False),
             lambda x, g: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * g, eps=eps)
    for shape, eps in [((7, 5), 1e-6), ((3, 5, 33), 1e-6), ((2, 3, 3, 4), 1e-5)]:
        def function(x, gamma, beta):
            y = F.batch_norm(channels_first(x), None, None, gamma, beta, True, 0.1, eps)
            return channels_last(y)

        f.op("batchNorm", inputs(shape), function, eps=eps)


def softmaxes(f):
    for shape in [(3, 5), (2, 3, 33), (7, 1), (1, 64)]:
        f.op("softmax", [f.draw.normal(*shape, std=3)], lambda x: F.softmax(x, -1))
        f.op("logSoftmax", [f.draw.normal(*shape, std=3)], lambda x: F.log_softmax(x, -1))
    for q, k, v, scale in [
        ((2, 5, 8), (2, 5, 8), (2, 5, 8), None),
        ((1, 7, 33), (1, 7, 33), (1, 7, 33), None),
        ((2, 3, 5, 4), (2, 3, 5, 4), (2, 3, 5, 4), None),
        ((1, 1, 3), (1, 1, 3), (1, 1, 3), None),
        ((1, 3, 5), (1, 7, 5), (1, 7, 5), 0.7),
    ]:
        used = scale or 1 / math.sqrt(q[-1])

        def function(q, k, v):
            return F.softmax(q @ k.mT * used, -1) @ v

        f.op("attention", [f.draw.normal(*s) for s in (q, k, v)], function, scale=used)


def resampling(f):
    for shape, factor in [((1, 3, 5, 3), 2), ((2, 1, 2, 5), 3), ((1, 4, 3, 4), 2)]:
        def function(x):
            return channels_last(F.interpolate(channels_first(x), scale_factor=factor))

        f.op("upsampleNearest", [f.draw.normal(*shape)], function, factor=factor)
    sizes = [
        ((1, 7, 5, 3), (3, 2)),
        ((2, 3, 3, 5), (5, 4)),
        ((1, 1, 1, 3), (4, 3)),
        ((1, 8, 8, 4), (1, 1)),
        ((1, 6, 4, 3), (13, 5)),
        ((1, 5, 3, 2), (5, 3)),
        ((1, 10, 13, 4), (8, 6)),
    ]
    for shape, (height, width) in sizes:
        def area(x):
            return channels_last(F.adaptive_avg_pool2d(channels_first(x), (height, width)))

        def bicubic(x):
            y = F.interpolate(channels_first(x), (height, width), mode="bicubic", align_corners=False)
            return channels_last(y)

        f.op("resizeArea", [f.draw.normal(*shape)], area, height=height, width=width)
        f.op("resizeBicubic", [f.draw.normal(*shape)], bicubic, height=height, width=width)


def reductions(f):
    for shape, axes, keep in [
        ((3, 5), [0, 1], False),
        ((3, 5, 7), [1], False),
        ((3, 5, 7), [0, 2], True),
        ((2, 3, 5, 4), [1, 2], False),
        ((33,), [0], True),
        ((3, 33), [1], False),
        ((5, 1, 3), [0], True),
    ]:
        options = {"axes": axes, "keepDims": keep}
        for name, function in {"sum": torch.sum, "mean": torch.mean, "max": torch.amax}.items():
            f.op(name, [f.draw.normal(*shape)], lambda x: function(x, axes, keep), **options)
    for shape, axis, keep, count in [
        ((3, 5), -1, False, 1000),
        ((5, 33), -1, False, 3),
        ((3, 7, 5), 1, True, 4),
        ((7, 1), 0, False, 2),
    ]:
        # numpy's argmax promises the lowest index on a tie; torch's does not.
        def function(x):
            best = torch.from_numpy(np.argmax(x.detach().numpy(), axis)).double()
            return best.unsqueeze(axis) if keep else best

        f.op("argmax", [f.draw.integers(*shape, count=count)], function, axis=axis, keepDims=keep)


def layouts(f):
    normal = f.draw.normal
    for shape, to in [((3, 4, 5), (5, 12)), ((1, 7), (7,)), ((1,), ())]:
        f.op("reshape", [normal(*shape)], lambda x: x.reshape(to), shape=to)
    for shape, axes in [((3, 5), [1, 0]), ((2, 3, 5), [2, 0, 1]), ((2, 3, 5, 4), [0, 2, 1, 3]),
                        ((2, 1, 3, 5, 2), [4, 2, 0, 3, 1])]:
        f.op("permute", [normal(*shape)], lambda x: x.permute(axes), axes=axes)
    for shape, start, end in [((5, 7), [1, 2], [4, 7]), ((2, 3, 5, 4), [0, 1, 2, 0], [2, 2, 5, 3]),
                              ((33,), [32], [33])]:
        def function(x):
            return x[tuple(slice(a, b) for a, b in zip(start, end))]

        f.op("slice", [normal(*shape)], function, start=start, end=end)
    for shape, padding, value in [
        ((3, 5), [[1, 2], [0, 3]], 0),
        ((1, 3, 2, 5), [[0, 0], [0, 1], [2, 0], [0, 0]], 0.5),
    ]:
        def function(x):
            return F.pad(x, [n for pair in reversed(padding) for n in pair], value=value)

        f.op("pad", [normal(*shape)], function, padding=padding, value=value)
    for shapes, axis in [(((3, 5), (3, 2)), 1), (((1, 3, 4), (5, 3, 4), (2, 3, 4)), 0),
                         (((2, 3, 1, 3), (2, 3, 1, 5)), -1)]:
        f.op("concat", [normal(*s) for s in shapes], lambda *xs: torch.cat(xs, axis), axis=axis)
    for rows, channels, shape in [(5, 3, (7,)), (33, 16, (2, 3, 3)), (3, 5, (1,))]:
        indices = f.draw.integers(*shape, count=rows)
        f.op("gather", [normal(rows, channels), indices], lambda table, i: table[i.long()])


def pooling(f):
    cases = [
        ((2, 4, 6, 8), 2, 2, 0),
        ((1, 5, 7, 3), 2, 2, 0),
        ((1, 7, 5, 4), 3, 2, 1),
        ((2, 3, 4, 5), 3, 1, 1),
        ((1, 9, 8, 1), 2, 3, 0),
    ]
    for shape, kernel, stride, padding in cases:
        def function(x):
            return channels_last(F.max_pool2d(channels_first(x), kernel, stride, padding))

        options = {"kernel": kernel, "stride": stride, "padding": padding}
        f.op("maxPool2d", [f.draw.normal(*shape)], function, **options)
        # Few values, so that windows have ties.
        f.op("maxPool2dTies", [f.draw.integers(*shape, count=3)], function, **options)


def bilinear(f):
    sizes = [((1, 7, 5, 3), (3, 2)), ((2, 3, 3, 5), (5, 4)), ((1, 1, 1, 3), (4, 3)), ((1, 6, 4, 4), (13, 5))]
    for shape, (height, width) in sizes:
        def function(x):
            y = F.interpolate(channels_first(x), (height, width), mode="bilinear", align_corners=False)
            return channels_last(y)

        f.op("resizeBilinear", [f.draw.normal(*shape)], function, height=height, width=width)


def main():
    f = Fixture("ops", ABOUT, seed=20250317)
    families = [elementwise, matmuls, convolutions, norms, softmaxes, resampling, reductions, layouts]
    for family in families + [add_blocks, add_training, pooling, bilinear]:
        family(f)
    f.save()


if __name__ == "__main__":
    main()
