"""Times operations in PyTorch for bench/report.ts: one JSON object a line in, one out.

The first line out tells the version and the device. Then each line in is an operation by its shapes
(bench/report/operation.ts); the answer is seconds per call by number format, float32 with TF32 off and,
on a GPU, bfloat16, or {"error": "..."}.
"""

import json
import sys
import time

import torch
from torch.nn import functional as F

ROUND_SECONDS = 0.1
ALL_SECONDS = 3
MOST_ROUNDS = 5


def tensor(shape, device, dtype):
    return torch.rand(shape, device=device, dtype=dtype) * 2 - 1


def image(batch, channels, size, device, dtype):
    x = tensor((batch, channels, size, size), device, dtype)
    return x.contiguous(memory_format=torch.channels_last)


def matmul(row, make):
    m, k, n = row["m"], row["k"], row["n"]
    a = make((k, m)).T if row.get("transposeA") else make((m, k))
    b = make((n, k)).T if row.get("transposeB") else make((k, n))
    return lambda: a @ b


def conv2d(row, device, dtype):
    size, cin, cout, kernel, stride = (row[key] for key in ("size", "cin", "cout", "kernel", "stride"))
    padding = (kernel - 1) // 2
    x = image(1, cin, size, device, dtype)
    weight = tensor((cout, cin, kernel, kernel), device, dtype)
    weight = weight.contiguous(memory_format=torch.channels_last)
    if row["pass"] == "forward":
        return lambda: F.conv2d(x, weight, None, stride, padding)
    dy = torch.ones_like(F.conv2d(x, weight, None, stride, padding))
    mask = [row["pass"] == "input gradient", row["pass"] == "weight gradient", False]
    both = [stride, stride], [padding, padding], [1, 1]
    backward = torch.ops.aten.convolution_backward
    return lambda: backward(dy, x, weight, None, *both, False, [0, 0], 1, mask)


def group_norm_silu(row, device, dtype):
    x = image(1, row["channels"], row["size"], device, dtype)
    gamma = torch.ones(row["channels"], device=device, dtype=dtype)
    beta = torch.zeros_like(gamma)
    return lambda: F.silu(F.group_norm(x, row["groups"], gamma, beta))


def attention(row, make):
    heads = row["heads"]
    shape = (1, heads, row["tokens"], row["channels"] // heads)
    q, k, v = make(shape), make(shape), make(shape)
    if hasattr(F, "scaled_dot_product_attention"):
        return lambda: F.scaled_dot_product_attention(q, k, v)
    scale = shape[-1] ** -0.5
    return lambda: F.softmax(q @ k.transpose(-1, -2) * scale, -1) @ v


def softmax(row, make):
    x = make((row["rows"], row["columns"]))
    return lambda: F.softmax(x, -1)


def prepare(row, device, dtype):
    def make(shape):
        return tensor(shape, device, dtype)

    operation = row["op"]
    if operation == "conv2d":
        return conv2d(row, device, dtype)
    if operation == "group_norm_silu":
        return group_norm_silu(row, device, dtype)
    return {"matmul": matmul, "attention": attention, "softmax": softmax}[operation](row, make)


def seconds(call, calls, device):
    """Seconds per call: by CUDA events, or by the clock."""
    if device == "cuda":
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        for _ in range(calls):
            call()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) / 1000 / calls
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begin) / calls


def measure(row, device, dtype):
    call = prepare(row, device, dtype)
    seconds(call, 1, device)  # cuDNN chooses among its algorithms
    once = seconds(call, 1, device)
    calls = max(1, min(1000, round(ROUND_SECONDS / once)))
    rounds = max(1, min(MOST_ROUNDS, int(ALL_SECONDS / (calls * once))))
    return sorted(seconds(call, calls, device) for _ in range(rounds))[rounds // 2]


def main():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    formats = {"float32": torch.float32}
    name = f"the CPU, threads: {torch.get_num_threads()}"
    if device == "cuda":
        name = torch.cuda.get_device_name()
        formats["bfloat16"] = torch.bfloat16
    print(json.dumps({"version": torch.__version__, "device": device, "name": name}), flush=True)
    for line in sys.stdin:
        try:
            with torch.no_grad():
                row = json.loads(line)
                answer = {key: measure(row, device, dtype) for key, dtype in formats.items()}
        except Exception as error:  # one operation that fails does not keep the others from being timed
            answer = {"error": f"{type(error).__name__}: {error}".split("\n")[0]}
        print(json.dumps(answer), flush=True)


try:
    main()
except KeyboardInterrupt:
    pass
