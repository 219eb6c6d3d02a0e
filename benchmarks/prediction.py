"""Throughput of `predict_proba` against `keras.Model.predict` and, if installed, PyTorch.

All of them see 32 px images, resize them to 96 px and end in ten probabilities; skcifar keeps no
features here, so that the network runs in every repetition.
"""

import importlib.util
import time

from common import load_cifar10, parse_arguments, plain_keras_model, print_machine, print_table

from skcifar import MobileNetV2Classifier

REPETITIONS = 3


def throughput(predict, X):
    """Return images a second: the best of a few repetitions after a warm-up."""
    predict(X[:256])
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        predict(X)
        seconds.append(time.perf_counter() - start)
    return len(X) / min(seconds)


def torch_predict():
    """Return a function from images to probabilities that runs in PyTorch."""
    import torch
    from torch import nn

    from skcifar._model.mobilenet_v2 import MobileNetV2

    layers = _TorchLayers(nn)
    network = MobileNetV2(96)
    network.apply(layers, 3, 0, network.last_unit)
    network = nn.Sequential(*layers.modules, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = network.eval().to(memory_format=torch.channels_last)
    head = nn.Sequential(nn.Linear(1280, 256), nn.ReLU(), nn.Linear(256, 10), nn.Softmax(1)).eval()

    @torch.inference_mode()
    def predict(X):
        parts = []
        for start in range(0, len(X), 64):
            x = torch.from_numpy(X[start : start + 64]).permute(0, 3, 1, 2).float() / 127.5 - 1
            x = nn.functional.interpolate(x, (96, 96), mode="bilinear")
            parts.append(head(network(x.contiguous(memory_format=torch.channels_last))))
        return torch.cat(parts).numpy()

    return predict


class _TorchLayers:
    """The operations of MobileNetV2 as PyTorch modules; `x` is a number of channels.

    Residual additions are left out: they cost next to nothing, and a sequence stays a sequence.
    """

    def __init__(self, nn):
        self._nn, self.modules = nn, []

    def convolution(self, x, filters, kernel_size, strides, name):
        padding = kernel_size // 2
        self.modules.append(self._nn.Conv2d(x, filters, kernel_size, strides, padding, bias=False))
        return filters

    def depthwise(self, x, strides, name):
        self.modules.append(self._nn.Conv2d(x, x, 3, strides, 1, groups=x, bias=False))
        return x

    def batch_norm(self, x, epsilon, name):
        self.modules.append(self._nn.BatchNorm2d(x))
        return x

    def relu6(self, x, name):
        self.modules.append(self._nn.ReLU6())
        return x

    def add(self, a, b, name):
        return b


def main():
    arguments = parse_arguments(__doc__, n_images=(2_000, 10_000))
    X, y, _, _ = load_cifar10(arguments.n_images, 0)
    print_machine()
    model = plain_keras_model()
    plain = throughput(lambda images: model.predict(images, batch_size=64, verbose=0), X)
    rows = [("keras.Model.predict", f"{plain:.0f}", "1.0")]
    for engine, precision in (
        ("tensorflow", "float32"),
        ("openvino", "float32"),
        ("openvino", "bfloat16"),
    ):
        options = {"engine": engine, "precision": precision, "feature_cache": None}
        try:
            classifier = MobileNetV2Classifier(feature_layers="last", epochs=1, **options).fit(
                X[:256], y[:256]
            )
        except (ImportError, ValueError) as error:
            print(error)
            continue
        rate = throughput(classifier.predict_proba, X)
        rows.append((f"skcifar, {engine}, {precision}", f"{rate:.0f}", f"{rate / plain:.1f}"))
    if importlib.util.find_spec("torch"):
        rate = throughput(torch_predict(), X)
        rows.append(("PyTorch, float32, channels last", f"{rate:.0f}", f"{rate / plain:.1f}"))
    print_table((f"{len(X)} images", "images/s", "x keras.Model.predict"), rows)


if __name__ == "__main__":
    main()
