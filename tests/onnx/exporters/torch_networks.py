"""Networks in PyTorch, all with random weights."""
import torch
import torch.nn.functional as F
from torch import nn


def vision(name, **options):
    import torchvision
    return getattr(torchvision.models, name)(weights=None, num_classes=100, **options)


def timm(name, **options):
    import timm as package
    return package.create_model(name, pretrained=False, num_classes=100, **options)


def segmentation():
    import torchvision

    class Segmentation(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = torchvision.models.segmentation.lraspp_mobilenet_v3_large(
                weights=None, weights_backbone=None, num_classes=5)

        def forward(self, x):
            return self.net(x)["out"]
    return Segmentation()


def vit():
    from torchvision.models import VisionTransformer
    model = VisionTransformer(image_size=32, patch_size=8, num_layers=2, num_heads=4, hidden_dim=64, mlp_dim=128,
                              num_classes=10)
    nn.init.normal_(model.heads.head.weight, 0, 0.1)
    return model


def block(cin, cout, k=3, stride=1, groups=1, act=nn.ReLU):
    return nn.Sequential(nn.Conv2d(cin, cout, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(cout),
                         act())


class UNet(nn.Module):
    """Transposed convolutions (plain, grouped, dilated), resizing of both kinds, concatenation."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = block(3, 8), block(8, 16), block(16, 16)
        self.up1 = nn.ConvTranspose2d(16, 16, 2, 2)
        self.up2 = nn.ConvTranspose2d(32, 16, 3, 2, 1, output_padding=1, groups=4)
        self.wide = nn.ConvTranspose2d(24, 8, 3, 1, 2, dilation=2)
        self.out = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        a = self.a(x)
        b = self.b(F.max_pool2d(a, 2))
        y = self.up1(self.c(F.avg_pool2d(b, 2)))
        y = self.up2(torch.cat([y, b], 1))
        y = self.wide(torch.cat([y, a], 1))
        y = F.interpolate(F.interpolate(y, scale_factor=0.5, mode="bilinear"), size=x.shape[2:], mode="nearest")
        y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=True)
        return self.out(y)


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = kind(8, 16, batch_first=True, **options)
        self.out = nn.Linear(16 * (2 if options.get("bidirectional") else 1), 4)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


class Audio(nn.Module):
    """One-dimensional convolutions, dilated, grouped and transposed."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, 16, 9, 4, 4), nn.BatchNorm1d(16), nn.ReLU(),
            nn.Conv1d(16, 16, 3, padding=2, dilation=2, groups=16), nn.BatchNorm1d(16), nn.ReLU6(),
            nn.Conv1d(16, 32, 1), nn.PReLU(32), nn.MaxPool1d(2), nn.Conv1d(32, 32, 3),
            nn.ELU(), nn.AvgPool1d(2, ceil_mode=True), nn.ConvTranspose1d(32, 16, 4, 2, 1), nn.AdaptiveAvgPool1d(1),
            nn.Flatten(), nn.Linear(16, 6), nn.LogSoftmax(-1))

    def forward(self, x):
        return self.net(x)


class Detector(nn.Module):
    """A head of the YOLO kind: boxes on a grid at two scales, all decoded in the model."""

    def __init__(self, classes=4):
        super().__init__()
        self.stem = nn.Sequential(block(3, 16, stride=2, act=nn.SiLU), block(16, 32, stride=2, act=nn.SiLU))
        self.deep = block(32, 32, stride=2, act=nn.SiLU)
        self.heads = nn.ModuleList([nn.Conv2d(64, 3 * (5 + classes), 1), nn.Conv2d(32, 3 * (5 + classes), 1)])
        self.classes = classes
        self.register_buffer("anchors", torch.tensor([[8., 8.], [12., 6.], [6., 12.]]).view(1, 3, 2, 1, 1))

    def forward(self, x):
        a = self.stem(x)
        b = self.deep(a)
        found = []
        for head, y in zip(self.heads, (torch.cat([a, F.interpolate(b, scale_factor=2.0)], 1), b)):
            y = head(y)
            n, _, h, w = y.shape
            y = y.view(n, 3, 5 + self.classes, h, w)
            gy, gx = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            grid = torch.stack([gx, gy]).float().view(1, 1, 2, h, w)
            xy, wh, rest = y.split([2, 2, 1 + self.classes], 2)
            xy = (xy.sigmoid() * 2 - 0.5 + grid) * (x.shape[3] // w)
            wh = (wh.sigmoid() * 2) ** 2 * self.anchors
            out = torch.cat([xy, wh, rest.sigmoid()], 2)
            found.append(out.permute(0, 1, 3, 4, 2).reshape(n, -1, 5 + self.classes))
        return torch.cat(found, 1)


class Mixed(nn.Module):
    """Many functions in one network, in the forms in which people write them."""

    def __init__(self):
        super().__init__()
        self.a, self.b = block(3, 16, act=nn.Hardswish), block(16, 16, groups=4, act=lambda: nn.ReLU6())
        self.norm, self.ln = nn.GroupNorm(4, 16), nn.LayerNorm(16)
        self.inst = nn.InstanceNorm2d(8, affine=True)
        self.fc, self.out = nn.Linear(16, 32), nn.Linear(16, 10)
        self.prelu = nn.PReLU(8)

    def forward(self, x):
        x = F.pad(self.a(x), (1, 0, 0, 1))
        y = self.norm(self.b(x[:, :, ::2, 1:]))
        p, q = y.chunk(2, 1)
        y = torch.cat([self.prelu(self.inst(p)), F.hardsigmoid(q) * p, ], 1)
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)  # channel shuffle
        y = y * torch.sigmoid(y.mean((2, 3), keepdim=True)) + y.amax((2, 3), keepdim=True)
        t = self.ln(y.flatten(2).transpose(1, 2))
        t = t + F.gelu(self.fc(t))[:, :, :16] + F.gelu(self.fc(t), approximate="tanh")[..., 16:]
        t = t.mean(1) + t[:, 0] + t.std(1) + F.softplus(t.sum(1) / 100) + t.max(1)[0] - t.min(1).values
        t = torch.where(t > 0, t, 0.1 * t) + t.clamp(min=-1) + F.mish(t) + t.abs().sqrt()
        return self.out(t / t.norm(dim=1, keepdim=True))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu", norm_first=True)
        self.embed = nn.Linear(16, 32)
        self.net = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(32, 5)

    def forward(self, x):
        return self.out(self.net(self.embed(x)).mean(1))


class Causal(nn.Module):
    """A mask of attention in the ways in which people write it."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.embed, self.norm, self.qkv = nn.Linear(16, 32), nn.LayerNorm(32), nn.Linear(32, 96)
        self.project, self.out = nn.Linear(32, 32), nn.Linear(32, 5)
        self.register_buffer("mask", torch.ones(10, 10).tril().bool())

    def attend(self, q, k, v):
        if self.how == "is_causal":
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        if self.how == "attn_mask":
            return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)
        scores = (q @ k.transpose(-1, -2)) / 8 ** 0.5
        if self.how == "added":
            scores = scores + torch.zeros(10, 10).masked_fill(~self.mask, float("-inf"))
        else:
            scores = scores.masked_fill(~self.mask, float(self.how))
        return scores.softmax(-1) @ v

    def forward(self, x):
        x = self.embed(x)
        q, k, v = [t.view(-1, 10, 4, 8).transpose(1, 2) for t in self.qkv(self.norm(x)).chunk(3, -1)]
        return self.out(x + self.project(self.attend(q, k, v).transpose(1, 2).reshape(-1, 10, 32)))


class Superresolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.ReflectionPad2d(2), nn.Conv2d(1, 16, 5), nn.Tanh(), nn.ReplicationPad2d(1),
                                 nn.Conv2d(16, 36, 3), nn.LeakyReLU(0.2), nn.PixelShuffle(3), nn.PixelUnshuffle(2),
                                 nn.Conv2d(16, 16, 3, padding=1), nn.Softplus(), nn.PixelShuffle(2))

    def forward(self, x):
        return self.net(x)


IMAGE = [(3, 64, 64)]
FLOAT = {
    "mobilenet_v2": (lambda: vision("mobilenet_v2", width_mult=0.5), IMAGE),
    "mobilenet_v3_small": (lambda: vision("mobilenet_v3_small"), IMAGE),
    "resnet18": (lambda: vision("resnet18"), IMAGE),
    "efficientnet_b0": (lambda: vision("efficientnet_b0"), IMAGE),
    "shufflenet_v2_x0_5": (lambda: vision("shufflenet_v2_x0_5"), IMAGE),
    "squeezenet1_1": (lambda: vision("squeezenet1_1"), IMAGE),
    "regnet_y_400mf": (lambda: vision("regnet_y_400mf"), IMAGE),
    "densenet121": (lambda: vision("densenet121"), IMAGE),
    "mnasnet0_5": (lambda: vision("mnasnet0_5"), IMAGE),
    "googlenet": (lambda: vision("googlenet", aux_logits=False, init_weights=False), IMAGE),
    "lraspp_mobilenet_v3": (segmentation, IMAGE),
    "convnext_atto (timm)": (lambda: timm("convnext_atto"), IMAGE),
    "vit, 2 layers": (vit, [(3, 32, 32)]),
    "swin_t": (lambda: vision("swin_t"), IMAGE),
    "mobilenetv4_conv_small (timm)": (lambda: timm("mobilenetv4_conv_small"), IMAGE),
    "ghostnet_050 (timm)": (lambda: timm("ghostnet_050"), IMAGE),
    "mobileone_s0 (timm)": (lambda: timm("mobileone_s0"), IMAGE),
    "mobilevit_xxs (timm)": (lambda: timm("mobilevit_xxs"), IMAGE),
    "edgenext_xx_small (timm)": (lambda: timm("edgenext_xx_small"), IMAGE),
    "efficientvit_b0 (timm)": (lambda: timm("efficientvit_b0"), IMAGE),
    "unet": (UNet, [(3, 32, 32)]),
    "lstm": (lambda: Recurrent(nn.LSTM), [(12, 8)]),
    "lstm, 2 layers, bidirectional": (lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True), [(12, 8)]),
    "gru": (lambda: Recurrent(nn.GRU), [(12, 8)]),
    "rnn": (lambda: Recurrent(nn.RNN), [(12, 8)]),
    "audio": (Audio, [(1, 512)]),
    "detector": (Detector, IMAGE),
    "mixed": (Mixed, [(3, 32, 32)]),
    "transformer": (Attention, [(10, 16)]),
    **{f"causal transformer, {how}": (lambda how=how: Causal(how), [(10, 16)])
       for how in ("is_causal", "attn_mask", "added", "-inf", "-1e9")},
    "superresolution": (Superresolution, [(1, 16, 16)]),
}


class Small(nn.Module):
    """Inverted residuals, squeeze and excitation, concatenation, hard swish, pooling."""

    def __init__(self):
        super().__init__()
        self.stem = block(3, 16, stride=2, act=nn.ReLU)
        self.expand, self.depth = block(16, 32, 1, act=nn.ReLU6), block(32, 32, 3, groups=32, act=nn.ReLU6)
        self.project = nn.Sequential(nn.Conv2d(32, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.squeeze, self.excite = nn.Conv2d(16, 8, 1), nn.Conv2d(8, 16, 1)
        self.swish = block(16, 16, stride=2, act=nn.Hardswish)
        self.pool = nn.MaxPool2d(2)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.out = nn.Linear(32, 10)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.project(self.depth(self.expand(x)))
        s = self.mean(x)
        x = x * torch.sigmoid(self.excite(F.relu(self.squeeze(s))))
        x = torch.cat([self.swish(x), self.pool(x)], 1)
        return self.out(torch.flatten(self.mean(x), 1))


def resnet():
    import torchvision
    return torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=10,
                                     width_per_group=64)


QUANTISED = {
    "small": Small,
    "resnet10": resnet,
    "mobilenet_v2": lambda: vision("mobilenet_v2", width_mult=0.35),
    "mobilenet_v3_small": lambda: vision("mobilenet_v3_small"),
    "shufflenet_v2_x0_5": lambda: vision("shufflenet_v2_x0_5"),
}
