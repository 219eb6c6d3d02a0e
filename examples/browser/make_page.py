"""Make a page that classifies pictures in the browser: they never leave the machine.

    npm install --prefix examples/browser --no-package-lock
    python examples/browser/make_page.py [classifier.skcifar]
    python -m http.server --directory browser-page

The page holds the classifier, exported to ONNX, and ONNX Runtime for the browser: 24 MB of files
that any web server can offer. Without a file that `skcifar.save` wrote it holds the classifier of
CIFAR-10 that ships with skcifar. Needs ``pip install ".[onnx]"``.
"""

import argparse
import json
import shutil
from pathlib import Path

import onnx

from skcifar import export, load, load_pretrained

HERE = Path(__file__).parent
RUNTIME = HERE / "node_modules" / "onnxruntime-web" / "dist"
CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
RUNTIME_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def make_page(classifier, folder, class_names=None):
    """Write a page that shows a picture's most probable classes.

    Parameters
    ----------
    classifier : MobileNetV2Classifier
        Fitted on colour images.
    folder : str or path-like
        Created if it does not exist.
    class_names : sequence of str, default=None
        The names of `classes_`, in their order; by default these themselves.

    Raises
    ------
    FileNotFoundError
        If ``npm install`` was not run.
    ValueError
        If the classifier was fitted on grey images.
    """
    if classifier.image_shape_[-1] != 3:
        raise ValueError(
            "The page shows colour pictures, and this classifier was fitted on images of shape "
            f"{classifier.image_shape_}. Fit one on images with 3 channels."
        )
    if not RUNTIME.exists():
        raise FileNotFoundError(
            f"{RUNTIME} does not exist. Run `npm install --prefix {HERE} --no-package-lock` first."
        )
    shutil.copytree(HERE / "page", folder, dirs_exist_ok=True)
    for name in RUNTIME_FILES:
        shutil.copy(RUNTIME / name, folder)
    model = Path(folder, "model.onnx")
    export(classifier, model)
    # The runtime does not show a page what else stands in the file.
    described = {prop.key: json.loads(prop.value) for prop in onnx.load(model).metadata_props}
    if class_names is not None:
        described["class_names"] = list(map(str, class_names))
    model.with_suffix(".json").write_text(json.dumps(described))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("classifier", nargs="?", help="file that skcifar.save wrote")
    parser.add_argument("--output", default="browser-page", help="folder of the page")
    arguments = parser.parse_args()
    if arguments.classifier:
        make_page(load(arguments.classifier), arguments.output)
    else:
        make_page(load_pretrained("cifar10"), arguments.output, CIFAR10_CLASSES)
    print(f"Now run `python -m http.server --directory {arguments.output}`, and open its address.")


if __name__ == "__main__":
    main()
