"""Modules of PyTorch; skipped where it is not installed."""
import importlib.util

import numpy as np
import pytest

import octet

torch = pytest.importorskip("torch")
EXPORTERS = ["script"] + (["export", "auto"] if importlib.util.find_spec("onnxscript") else ["auto"])


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.out = torch.nn.Linear(8, 4)

    def forward(self, x):
        return self.out(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(0, 1, (1, 3, 12, 12)).astype(np.float32)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_runs_as_in_torch(net, image, exporter):
    net.norm.eval()
    source = octet.from_torch(net, image, names=["image"], exporter=exporter)
    assert net.training and not net.norm.training  # as it was
    model = octet.Model(source)
    assert model.inputs[0].name == "image"
    result, = model.session().run(image)
    with torch.no_grad():
        wanted = net.eval()(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(result, wanted, atol=1e-5)


def test_quantises(net, image):
    data = np.concatenate([image * s for s in np.linspace(0.5, 1.5, 8, dtype=np.float32)])
    made = octet.quantize(octet.from_torch(net, torch.from_numpy(image)), data=data)
    assert made.output_sqnr_db > 20


@pytest.mark.filterwarnings("ignore")
def test_models_that_are_quantised_already(net, image):
    quantize_fx = pytest.importorskip("torch.ao.quantization.quantize_fx")
    from torch.ao.quantization import get_default_qconfig_mapping
    x = torch.from_numpy(image)
    prepared = quantize_fx.prepare_fx(net.eval(), get_default_qconfig_mapping("qnnpack"), (x,))
    prepared(x)
    quantised = quantize_fx.convert_fx(prepared)
    model = octet.Model(octet.from_torch(quantised, x))
    result, = model.session().run(image)
    assert any("qs8" in step.kernel for step in model.steps)
    np.testing.assert_allclose(result, quantised(x).detach().numpy(), atol=0.05)


def test_what_cannot_be_exported(net, image):
    class Refuses(torch.nn.Module):
        def forward(self, x):
            raise ValueError("not today")

    with pytest.raises(octet.Error, match="not today") as raised:
        octet.from_torch(Refuses(), image, exporter="script")
    assert raised.value.status == octet.Status.UNSUPPORTED
    with pytest.raises(octet.Error, match="none of"):
        octet.from_torch(net, image, exporter="onnx")
