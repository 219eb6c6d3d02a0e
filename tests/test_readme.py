"""The README's Python runs as it stands."""

import re
from pathlib import Path

from PIL import Image

from skcifar.datasets import load_photo_patches

README = Path(__file__).parent.parent / "README.md"
FOLDER_OF_PICTURES, ARRAYS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def run(code):
    exec(compile(code, "README.md", "exec"), {})


def test_quickstart_learns(capsys):
    run(ARRAYS)
    assert float(capsys.readouterr().out) > 0.8


def test_quickstart_on_a_folder_learns(capsys, tmp_path, monkeypatch):
    data = load_photo_patches(subset="train")
    for number, (image, kind) in enumerate(zip(data.images, data.target, strict=True)):
        if kind < 2 and number % 4 == 0:
            folder = tmp_path / "pictures" / data.target_names[kind]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number}.png")
            Image.fromarray(image).save(tmp_path / "new.jpg")
    monkeypatch.chdir(tmp_path)
    # Without a network: as the README says further down.
    run(FOLDER_OF_PICTURES.replace("(random_state=0)", '(weights="cifar10", random_state=0)'))
    score, predicted = capsys.readouterr().out.split(maxsplit=1)
    assert float(score) > 0.8
    assert any(name in predicted for name in data.target_names[:2])
