"""A few steps of AdamW with gradient clipping and a cosine schedule, from given gradients."""

import torch


def add_training(f):
    options = {"lr": 5e-4, "betas": [0.5, 0.9], "eps": 1e-8, "weightDecay": 0.005, "clip": 10, "totalSteps": 8}
    run(f, steps=6, scale=3, **options)
    run(f, steps=4, scale=0.01, **{**options, "lr": 0.05, "betas": [0.9, 0.999], "weightDecay": 0.1, "totalSteps": 4})


def run(f, steps, scale, **o):
    """Two parameters; values/<name>/<s> is each after step s, grads/<name>/<s> the gradient step s was given."""
    parameters = {"a": f.draw.normal(3, 5), "b": f.draw.normal(33)}
    leaves = {name: torch.nn.Parameter(x.clone()) for name, x in parameters.items()}
    optimizer = torch.optim.AdamW(leaves.values(), o["lr"], o["betas"], o["eps"], o["weightDecay"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, o["totalSteps"])
    tensors = {f"values/{name}/0": x for name, x in parameters.items()}
    rates, norms = [], []
    for step in range(1, steps + 1):
        for name, leaf in leaves.items():
            leaf.grad = f.draw.normal(*leaf.shape, std=scale)
            tensors[f"grads/{name}/{step}"] = leaf.grad.clone()
        norms.append(torch.nn.utils.clip_grad_norm_(leaves.values(), o["clip"]).item())
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
        for name, leaf in leaves.items():
            tensors[f"values/{name}/{step}"] = leaf.detach().clone()
    f.values("adamw", tensors, steps=steps, learningRates=rates, gradientNorms=norms, **o)
