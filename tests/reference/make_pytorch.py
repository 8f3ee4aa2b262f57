"""Writes small files with torch.save, in its forms and protocols, and what their tensors hold."""

import collections
import os
import sys
import types

import numpy as np
import torch

import safetensors_file

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "pytorch")

DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"]


def views():
    """Tensors that share storages, and look at them in every way."""
    base = torch.arange(48, dtype=torch.float32).reshape(6, 8) / 7
    cube = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5) / 3
    return collections.OrderedDict(
        base=base,
        transposed=base.t(),
        rows=base[2:4],
        columns=base[:, 1::3],
        element=base[3, 4],
        permuted=cube.permute(2, 0, 1),
        windows=base.flatten().as_strided((5, 4), (2, 1), 3),
        expanded=torch.tensor([1.5, 2.5]).expand(3, 2),
        empty=torch.zeros(0, 4),
        parameter=torch.nn.Parameter(base[:2, :2]),
        ones=torch.ones(1, 3, 1),
    )


def dtypes():
    """The same values in every dtype."""
    values = torch.tensor([0.0, 1.0, 2.0, 100.0, 17.0])
    tensors = {name: values.to(getattr(torch, name)) for name in DTYPES}
    tensors["bool"] = values.bool()
    tensors["fraction.float64"] = torch.tensor([0.1, -1e-30], dtype=torch.float64)
    tensors["fraction.float16"] = torch.tensor([0.1, 6e-8]).half()
    tensors["fraction.bfloat16"] = torch.tensor([0.1, 3e38]).bfloat16()
    return tensors


def module():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Linear(3, 2, bias=False)
    )


def training():
    """A module after a step, its optimizer, and what is said beside them."""
    model = module()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, betas=(0.5, 0.9))
    model[0](torch.ones(1, 2, 3, 3)).sum().backward()
    optimizer.step()
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "lr": 5e-4,
        "note": "größer",
        "done": True,
        "nothing": None,
        "large": 2**80,
        "shape": torch.Size([1, 2]),
    }


def lightning():
    """What PyTorch Lightning wrote around the weights in the days of Stable Diffusion 1."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    callback = type("ModelCheckpoint", (), {"__module__": name})
    for part in ("pytorch_lightning", "pytorch_lightning.callbacks", name):
        sys.modules[part] = types.ModuleType(part)
    sys.modules[name].ModelCheckpoint = callback
    state = {"monitor": "val/rec_loss", "best_model_score": torch.tensor(0.25)}
    return {
        "epoch": 1,
        "global_step": 20,
        "callbacks": {callback: {**state, "current_score": np.float64(0.5)}},
        "lr_schedulers": [],
        "state_dict": module().state_dict(),
    }


def flat(value, name=""):
    """name -> tensor, names as the reader makes them."""
    if isinstance(value, torch.Tensor):
        return {name: value}
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        return {}
    found = {}
    for key, item in items:
        text = f"{key.__module__}.{key.__name__}" if isinstance(key, type) else str(key)
        found.update(flat(item, f"{name}.{text}" if name else text))
    return found


def main():
    os.makedirs(FOLDER, exist_ok=True)
    expected = {}

    def save(name, value, **options):
        torch.save(value, os.path.join(FOLDER, name), **options)
        for key, tensor in flat(value).items():
            expected[f"{name}/{key}"] = tensor

    save("views.pth", views())
    save("views_legacy.pth", views(), _use_new_zipfile_serialization=False)
    for protocol in (3, 4, 5):
        save(f"views_protocol{protocol}.pth", views(), pickle_protocol=protocol)
    save("dtypes.pt", dtypes())
    save("dtypes_legacy.pt", dtypes(), _use_new_zipfile_serialization=False)
    save("training.bin", training())
    save("lightning.ckpt", lightning())
    save("lightning_legacy.ckpt", lightning(), _use_new_zipfile_serialization=False)
    safetensors_file.save(
        os.path.join(FOLDER, "expected.safetensors"),
        {key: tensor.detach().float() for key, tensor in expected.items()},
    )


main()
