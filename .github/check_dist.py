"""Check what `make dist` built: `python .github/check_dist.py dist [v1.2.3]`.

The wheel and the source archive hold what they must and nothing else, and their version is that
of the tag.
"""

import email
import sys
import tarfile
import zipfile
from pathlib import Path

IN_WHEEL = (
    "skcifar/__init__.py",
    "skcifar/py.typed",
    "skcifar/_weights/cifar10_96px.npz",
    "skcifar/_weights/cifar10_96px.md",
    "skcifar/_weights/cifar10_32px.npz",
    "skcifar/_weights/cifar10_32px.md",
    "skcifar/_weights/LICENSE-Apache-2.0.txt",
)
IN_SDIST = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "skcifar/__init__.py")
LARGEST = 7e6  # bytes; the weights take 5.6 MB


def main(folder, tag=None):
    wheel, sdist = (only(Path(folder).glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        headers = email.message_from_bytes(archive.read(metadata))
    with tarfile.open(sdist) as archive:
        in_sdist = [name.partition("/")[2] for name in archive.getnames()]
    tops = {name.partition("/")[0] for name in names}
    problems = [
        *(f"{wheel.name} lacks {name}" for name in IN_WHEEL if name not in names),
        *(f"{sdist.name} lacks {name}" for name in IN_SDIST if name not in in_sdist),
        *(f"{path.name} is too large" for path in (wheel, sdist) if path.stat().st_size > LARGEST),
    ]
    if len(tops) != 2:
        problems.append(f"{wheel.name} holds more than the package: {sorted(tops)}")
    if tag and tag != f"v{headers['Version']}":
        problems.append(f"the tag is {tag}, the version {headers['Version']}")
    print("\n".join(problems) or f"{wheel.name} and {sdist.name} hold what they must.")
    return len(problems) > 0


def only(paths):
    (path,) = paths
    return path


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
