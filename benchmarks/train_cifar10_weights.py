"""Make or judge the networks that ship with the package.

    python benchmarks/train_cifar10_weights.py cifar10 --checkpoint-dir ~/run --output w.npz
    python benchmarks/train_cifar10_weights.py cifar10 --compare
    python benchmarks/train_cifar10_weights.py cifar10 --evaluate

A run that was killed goes on from its last finished epoch when it is started again. ``--compare``
prints what the weights between ImageNet's and the shipped ones are worth; ``--evaluate`` prints
the figures of the model card for the file in the package.
"""

import argparse
from pathlib import Path

import shipped_file
import weights_from_imagenet
import weights_from_scratch
from common import print_machine

from skcifar.datasets import fetch_cifar10

SCRIPTS = {"cifar10": weights_from_imagenet, "cifar10-32px": weights_from_scratch}


def parse_arguments(arguments=None):
    """Return the command line as a namespace."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=SCRIPTS)
    parser.add_argument("--checkpoint-dir", type=Path, help="outside of the repository")
    parser.add_argument("--output", type=Path, help="where the weights go, .npz")
    parser.add_argument("--compare", action="store_true", help='of "cifar10", no more')
    parser.add_argument("--evaluate", action="store_true", help="no more")
    options = parser.parse_args(arguments)
    if options.compare and options.name != "cifar10":
        parser.error("--compare is for cifar10")
    if not (options.evaluate or options.compare or (options.checkpoint_dir and options.output)):
        parser.error("pass --checkpoint-dir and --output to train, or --evaluate")
    return options


def main(arguments=None):
    """Run the command line."""
    options = parse_arguments(arguments)
    print_machine()
    if options.evaluate:
        return shipped_file.evaluate(options.name)
    X, y = fetch_cifar10(subset="train", return_X_y=True)
    if options.compare:
        return weights_from_imagenet.compare(X, y)
    make_network = SCRIPTS[options.name].make_network
    return make_network(X, y, checkpoint_dir=options.checkpoint_dir, output=options.output)


if __name__ == "__main__":
    main()
