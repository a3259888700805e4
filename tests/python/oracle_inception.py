"""S3's base model as ichdet/models/inception_unet.hpp says, of torch.nn's own modules."""

import torch
from torch import nn


class Unit(nn.Module):
    def __init__(self, into, out, size):
        super().__init__()
        self.conv = nn.Conv2d(into, out, size, padding="same", bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)))


class Module(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        quarter = out // 4
        self.branch1 = Unit(into, quarter, 1)
        self.branch3_reduce, self.branch3 = Unit(into, quarter, 1), Unit(quarter, quarter, 3)
        self.branch5_reduce, self.branch5 = Unit(into, quarter, 1), Unit(quarter, quarter, 5)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.branch_pool = Unit(into, quarter, 1)

    def forward(self, x):
        three, five = self.branch3(self.branch3_reduce(x)), self.branch5(self.branch5_reduce(x))
        return torch.cat([self.branch1(x), three, five, self.branch_pool(self.pool(x))], dim=1)


class InceptionUNet(nn.Module):
    def __init__(self, in_channels, num_classes, filters):
        super().__init__()
        self.encoder = nn.ModuleList(Module(into, out) for into, out in zip([in_channels, *filters], filters))
        pairs = list(zip(filters[1:], filters))[::-1]
        self.ups = nn.ModuleList(nn.ConvTranspose2d(below, width, 2, stride=2) for below, width in pairs)
        self.decoder = nn.ModuleList(Module(2 * width, width) for _, width in pairs)
        self.head = nn.Conv2d(filters[0], num_classes, 1)

    def forward(self, x):
        levels = [self.encoder[0](x)]
        for module in self.encoder[1:]:
            levels.append(module(nn.functional.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        for up, module in zip(self.ups, self.decoder):
            x = module(torch.cat([levels.pop(), up(x)], dim=1))
        return self.head(x)
