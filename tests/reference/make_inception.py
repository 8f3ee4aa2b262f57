"""Makes tests/fixtures/inception.safetensors: pool3 of InceptionV3 as the FID has it, of generated weights.

The network is torchvision's, with the two differences of pt_inception-2015-12-05: average pools do not count
what lies beyond the image, and Mixed_7c has a maximum pool. It computes in float64. Neither weights nor the
image are stored: tests/metrics/inception_test.ts makes them by the same rule.
"""

import math
import os

import numpy as np
import torch
import torch.nn.functional as F
import torchvision

import safetensors_file
from fixture import FOLDER

IMAGE = (1, 40, 56, 3)


def seed_of(name):
    """FNV-1a."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def generate(name, shape, center, bound):
    """Numbers by place and name: a hash of 32 bits, spread over center - bound to center + bound."""
    count = math.prod(shape)
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed_of(name))
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    x = x ^ (x >> np.uint32(16))
    values = center + (2 * (x * 2.0**-32) - 1) * bound
    return torch.from_numpy(values.astype(np.float32).astype(np.float64)).reshape(shape)


def weight(name, shape):
    if name.endswith("conv.weight"):
        return generate(name, shape, 0, math.sqrt(6 / math.prod(shape[1:])))
    centered = name.endswith(("bn.weight", "running_var"))
    return generate(name, shape, 1 if centered else 0, 0.25)


def load(network):
    for name, tensor in network.state_dict().items():
        if ".conv." in name or (".bn." in name and tensor.dim() == 1):
            tensor.copy_(weight(name, tuple(tensor.shape)))


def pool_as_fid(network):
    """Replaces what torchvision's blocks call for an average pool."""

    def average(x, kernel_size, stride, padding):
        return average_pool(x, kernel_size, stride, padding, count_include_pad=False)

    average_pool = F.avg_pool2d
    F.avg_pool2d = average
    network.Mixed_7c.register_forward_pre_hook(lambda *_: setattr(F, "avg_pool2d", F.max_pool2d))
    network.Mixed_7c.register_forward_hook(lambda *_: setattr(F, "avg_pool2d", average))


def pool3(network, image):
    x = F.interpolate(image / 2 + 0.5, (299, 299), mode="bilinear", align_corners=False)
    return network(2 * x - 1)


def main():
    network = torchvision.models.inception_v3(
        weights=None, aux_logits=False, transform_input=False, init_weights=False
    )
    network.fc = torch.nn.Identity()
    network.double().eval()
    pool_as_fid(network)
    with torch.no_grad():
        load(network)
        pooled = pool3(network, generate("image", IMAGE, 0, 1).movedim(-1, 1))
    print(pooled.shape, pooled.std(), pooled.mean())
    safetensors_file.save(os.path.join(FOLDER, "inception.safetensors"), {"pooled": pooled})


if __name__ == "__main__":
    main()
