"""Viola-Unet in plain PyTorch: MONAI's blocks, and between them VIOLA attention written from its formulae (S2; Liu et
al., INSTANCE 2022), term by term and on whole volumes. Modules have the public implementation's names."""

import torch
import torch.nn.functional as F
from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetOutBlock, UnetResBlock, get_conv_layer
from torch import nn


def children(**modules):
    """A module that only holds others, under names that need not be identifiers."""
    module = nn.Module()
    for name, child in modules.items():
        module.add_module(name.lstrip("_"), child)
    return module


class Branch(nn.Module):
    """The profile of one axis, (N, C, L), to as many values."""

    def __init__(self, c):
        super().__init__()
        self.ck = 3 + 2 * (c // 32)
        self.dilations = [1, self.ck, 2 * (self.ck - 1) + 1, 3 * (self.ck - 1) + 1]
        self.strides = [2, 2, 4, 4]
        width = max(c // 16, 4) // 4 + 1
        scale = nn.Module()
        scale.gamma = nn.Parameter(torch.ones(1, c, 1, 1, 1))
        convolutions = [
            children(_0=nn.Conv2d(1 + i * width, width, (self.ck, 1), bias=False)) for i in range(len(self.dilations))
        ]
        last = children(_1=nn.Conv2d(2 + 4 * width, 1, 1, bias=False))
        self.add_module("0", scale)
        self.add_module("1", children(features=nn.ModuleList(convolutions), conv1x1_out=last))

    def forward(self, profile):
        n, c, length = profile.shape
        normal = F.layer_norm(profile.transpose(1, 2), (c,), eps=1e-5).transpose(1, 2)
        image = (normal * self.get_submodule("0").gamma.reshape(1, c, 1)).reshape(n, 1, c, length)
        found = image
        block = self.get_submodule("1")
        for convolution, dilation, stride in zip(block.features, self.dilations, self.strides):
            reach = dilation * (self.ck - 1) // 2
            weight = convolution.get_submodule("0").weight
            padded = F.pad(found, (0, 0, reach, reach))
            small = F.conv2d(padded, weight, stride=(stride, 1), dilation=(dilation, 1))
            found = torch.cat([F.interpolate(small, size=(c, length), mode="bilinear"), found], dim=1)
        everything = torch.cat([image, found], dim=1)
        out = block.conv1x1_out.get_submodule("1")(everything * torch.sigmoid(everything))
        return out.reshape(n, c, length)


class Viola(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.xconv, self.yconv, self.zconv = Branch(c), Branch(c), Branch(c)
        self.act = children(_0=nn.GroupNorm(2, c))

    def factor(self, x):
        n, c, *size = x.shape
        vx = self.xconv(F.adaptive_avg_pool3d(x, (None, 1, 1)).flatten(2))
        vy = self.yconv(F.adaptive_avg_pool3d(x, (1, None, 1)).flatten(2))
        vz = self.zconv(F.adaptive_avg_pool3d(x, (1, 1, None)).flatten(2))
        gn2 = self.act.get_submodule("0")(torch.cat([vx, vy, vz], dim=2))
        tanhs = torch.tanh(gn2).split(size, dim=2)

        def over_volume(profile, axis):
            shape = [n, c, 1, 1, 1]
            shape[2 + axis] = -1
            return profile.reshape(shape).expand(n, c, *size)

        s = [over_volume(torch.sigmoid(v), axis) for axis, v in enumerate([vx, vy, vz])]
        t = [over_volume(0.5 * (tanhs[i] + torch.sigmoid(v)), i) for i, v in enumerate([vx, vy, vz])]
        J = s[0] * s[1] + s[1] * s[2] + s[2] * s[0]
        M = s[0] * s[1] * s[2]
        A = torch.relu(t[0] + t[1] + t[2])
        v = 0.1 * (J + M + A) + 0.3
        return torch.stack([one + one / torch.linalg.vector_norm(one) for one in v])

    def forward(self, x):
        return x * self.factor(x)


class Up(nn.Module):
    def __init__(self, in_c, skip_c, out_c, kernel, factor, norm, bias):
        super().__init__()
        self.transp_conv = get_conv_layer(3, in_c, out_c, factor, factor, bias=bias, conv_only=True, is_transposed=True)
        self.canc_att = Viola(skip_c + out_c)
        self.conv_block = UnetBasicBlock(3, skip_c + out_c, out_c, kernel, 1, norm)

    def forward(self, x, skip):
        return self.conv_block(self.canc_att(torch.cat([skip, self.transp_conv(x)], dim=1)))


KERNELS = [[3, 3, 1], [3, 3, 1], [3, 3, 3], [3, 3, 3], [3, 3, 3]]
STRIDES = [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2]]


class ViolaUnet(nn.Module):
    def __init__(
        self,
        in_channels=3,
        out_channels=2,
        kernel_size=KERNELS,
        strides=STRIDES,
        filters=(16, 32, 32, 64, 128),
        dec_filters=(16, 16, 32, 64),
        norm=("BATCH", {"affine": True}),
        trans_bias=True,
        heads=0,
    ):
        super().__init__()

        def block(level):
            into = filters[level - 1] if level else in_channels
            return UnetResBlock(3, into, filters[level], kernel_size[level], strides[level], norm)

        levels = range(len(filters))
        self.input_block = block(0)
        self.downsamples = nn.ModuleList(block(level) for level in levels[1:-1])
        self.bottleneck = block(levels[-1])
        below = [*dec_filters[1:], filters[-1]]
        self.upsamples = nn.ModuleList(
            Up(below[i], filters[i], dec_filters[i], kernel_size[i + 1], strides[i + 1], norm, trans_bias)
            for i in reversed(levels[:-1])
        )
        self.output_block = UnetOutBlock(3, dec_filters[0], out_channels)
        if heads:
            self.deep_supervision_heads = nn.ModuleList(
                UnetOutBlock(3, dec_filters[i + 1], out_channels) for i in range(heads)
            )

    def forward(self, x):
        skips = [self.input_block(x)]
        for down in self.downsamples:
            skips.append(down(skips[-1]))
        x = self.bottleneck(skips[-1])
        for up in self.upsamples:
            x = up(x, skips.pop())
        return self.output_block(x)
