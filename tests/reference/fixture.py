"""Collects cases for one fixture: a safetensors file of tensors and a JSON file that describes them."""

import json
import os

import torch

import safetensors_file

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")


class Draw:
    """Seeded inputs in float64 whose values are float32 numbers, so that storing them loses nothing."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape, mean=0.0, std=1.0):
        x = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        return exact(mean + std * x)

    def uniform(self, *shape, low=0.0, high=1.0):
        x = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return exact(low + (high - low) * x)

    def integers(self, *shape, count):
        return torch.randint(count, shape, generator=self.generator).double()


def exact(x):
    return x.float().double()


class Fixture:
    """One fixture under construction. Tensor names are case/index/role."""

    def __init__(self, name, about, seed):
        self.name = name
        self.about = about
        self.draw = Draw(seed)
        self.cases = {}
        self.tensors = {}

    def op(self, name, inputs, function, **options):
        """Adds a case of an operation: its output and the gradients of sum(output * cotangent)."""
        self._case(name, function, {str(i): x for i, x in enumerate(inputs)}, options)

    def block(self, name, tensors, function, **options):
        """Adds a case of a composed block, its tensors named as in a state dict."""
        self._case(name, lambda *xs: function(dict(zip(tensors, xs))), tensors, options)

    def values(self, name, tensors, **options):
        """Adds a case of tensors without gradients."""
        prefix = self._describe(name, {"options": options, "tensors": list(tensors)})
        for key, tensor in tensors.items():
            self.tensors[f"{prefix}/{key}"] = tensor

    def _case(self, name, function, inputs, options):
        leaves = [x.clone().requires_grad_(function is not None) for x in inputs.values()]
        output = function(*leaves)
        cotangent = self.draw.normal(*output.shape)
        gradients = [None] * len(leaves)
        if output.requires_grad:
            gradients = torch.autograd.grad((output * cotangent).sum(), leaves, allow_unused=True)
        prefix = self._describe(name, {
            "options": options,
            "inputs": list(inputs),
            "gradients": [key for key, g in zip(inputs, gradients) if g is not None],
        })
        for key, x in inputs.items():
            self.tensors[f"{prefix}/inputs/{key}"] = x
        self.tensors[f"{prefix}/output"] = output
        self.tensors[f"{prefix}/cotangent"] = cotangent
        for key, gradient in zip(inputs, gradients):
            if gradient is not None:
                self.tensors[f"{prefix}/gradients/{key}"] = gradient

    def _describe(self, name, description):
        listed = self.cases.setdefault(name, [])
        listed.append(description)
        return f"{name}/{len(listed) - 1}"

    def save(self):
        safetensors_file.save(os.path.join(FOLDER, self.name + ".safetensors"), self.tensors)
        description = {**self.about, "torch": torch.__version__, "cases": self.cases}
        with open(os.path.join(FOLDER, self.name + ".json"), "w") as file:
            json.dump(description, file, indent=2)
            file.write("\n")
