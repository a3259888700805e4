"""Weights for the segmentation networks' oracles, as after training."""

import math

import torch
from torch import nn

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose2d, nn.ConvTranspose3d)
BATCH_NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)


def settled(model, x, seed=0):
    """Random weights that keep activations at natural size, norms that do something, and batch norm's statistics near
    those of a forward of `x`."""
    torch.manual_seed(seed)
    norms = []
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, CONVOLUTIONS + TRANSPOSED):
                fan_in = module.weight[0].numel()
                if isinstance(module, TRANSPOSED):
                    fan_in = module.weight[:, 0].numel() / math.prod(module.stride)
                module.weight.normal_(0, math.sqrt(2 / fan_in))
                if module.bias is not None:
                    module.bias.normal_(0, 0.3)
            elif getattr(module, "weight", None) is not None:
                module.weight.uniform_(0.7, 1.3)
                module.bias.normal_(0.5, 0.3)
            if isinstance(module, BATCH_NORMS):
                norms.append((module, module.momentum))
                module.momentum = 1.0
        for name, parameter in model.named_parameters():
            if name.endswith("gamma"):
                parameter.uniform_(0.5, 1.5)
        model.train()
        model(x)
    for module, momentum in norms:
        module.momentum = momentum
        module.running_mean += 0.1 * module.running_var.sqrt() * torch.randn_like(module.running_mean)
        module.running_var *= torch.empty_like(module.running_var).uniform_(0.8, 1.2)
    return model.eval()
