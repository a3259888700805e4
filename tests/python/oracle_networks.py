"""The 2D networks as timm 1.0.29 and effdet 0.4.1 have them, with weights as after training."""

import math

import oracles  # noqa: F401  before timm
import timm
import torch
from torch import nn


class EfficientClassification(nn.Module):
    """S1, appendix A: figures A4 to A7."""

    def __init__(self, num_classes=2, in_chans=3, detector="efficientdet_d0", image_size=512):
        super().__init__()
        import effdet

        config = effdet.get_efficientdet_config(detector)
        config.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        config.backbone_args = dict(config.backbone_args or {}, in_chans=in_chans)
        self.effdet = effdet.EfficientDet(config, pretrained_backbone=False)
        self.effdet.box_net = nn.Identity()
        self.effdet.class_net = nn.Identity()
        self.deconv0 = nn.ConvTranspose2d(64, 16, 19, stride=3, padding=1, dilation=2)
        self.deconv1 = nn.ConvTranspose2d(64, 12, 9, stride=7, padding=1, dilation=1)
        self.deconv2 = nn.ConvTranspose2d(64, 8, 24, stride=9, padding=2, dilation=4)
        self.deconv3 = nn.ConvTranspose2d(64, 4, 28, stride=9, padding=1, dilation=6)
        self.deconv4 = nn.ConvTranspose2d(64, 2, 30, stride=8, padding=2, dilation=7)
        self.conv0 = nn.Conv2d(42, 16, 5, padding=2)
        self.conv1 = nn.Conv2d(16, 3, 3, padding=1)
        self.resnet = timm.create_model("resnet18", num_classes=num_classes)

    def pyramid(self, x):
        return self.effdet(x)[0]

    def fuse(self, maps):
        large = [getattr(self, f"deconv{i}")(maps[i]) for i in range(5)]
        return self.conv1(self.conv0(torch.cat(large, 1)))

    def forward_features(self, x):
        return self.resnet.forward_features(self.fuse(self.pyramid(x)))

    def forward_head(self, x, pre_logits=False):
        return self.resnet.forward_head(x, pre_logits=pre_logits)

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


class MobileNetLSTM(nn.Module):
    """S5, as ichdet/models/mobilenet_lstm.hpp says."""

    def __init__(self, num_classes=3, hidden_size=256):
        super().__init__()
        self.backbone = timm.create_model("mobilenetv1_100", num_classes=0)
        self.lstm = nn.LSTM(self.backbone.num_features, hidden_size, batch_first=True)
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward_features(self, x):
        return self.backbone.forward_features(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def forward_head(self, x, pre_logits=False):
        state = self.lstm(x.mean((3, 4)))[1][0][-1]
        return state if pre_logits else self.classifier(state)

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


def trained(model, x, seed=0):
    """Random weights that keep activations at natural size, and batch norm's statistics those of a forward of `x`: then
    outputs depend on the input, as they do after training. Batch norm's bias keeps most values positive: without that a
    random network of this depth is chaos, which multiplies the input's last digits by a hundred.
    """
    torch.manual_seed(seed)
    norms = []
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                fan_in = module.weight[0].numel()
                if isinstance(module, nn.ConvTranspose2d):
                    fan_in = module.weight[:, 0].numel() / module.stride[0] ** 2
                module.weight.normal_(0, math.sqrt((1 if isinstance(module, nn.ConvTranspose2d) else 2) / fan_in))
                if module.bias is not None:
                    module.bias.normal_(0, 0.1)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.7, 1.3)
                module.bias.normal_(1, 0.3)
                norms.append((module, module.momentum))
                module.momentum = 1.0
        for name, parameter in model.named_parameters():
            if name.endswith("edge_weights"):
                parameter.uniform_(-0.3, 1.5)  # some are cut off by the ReLU
        model.train()
        model(x)
    for module, momentum in norms:
        module.momentum = momentum
        module.running_mean += 0.1 * module.running_var.sqrt() * torch.randn_like(module.running_mean)
        module.running_var *= torch.empty_like(module.running_var).uniform_(0.8, 1.2)
    return model.eval()
