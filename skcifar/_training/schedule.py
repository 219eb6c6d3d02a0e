"""What an epoch does, decided before it runs: order of the rows, weights, step sizes.

Everything random in an epoch derives from (seed, epoch), so that the state of a fit is one
seed and one counter: it is reproducible and resumable, and no global state is touched.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.utils import check_random_state

_N_SEEDS = 2**31 - 1

# Streams of random numbers that derive from one seed.
_INITIAL_HEAD, _ORDER, _DROPOUT, AUGMENTATION_STREAM, CROP_STREAM = range(5)


def draw_seed(random_state):
    """Return the seed of a fit.

    Parameters
    ----------
    random_state : int, RandomState or None
        None draws from the operating system: a fit leaves NumPy's global state as it was.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(_N_SEEDS))
    return int(check_random_state(random_state).randint(_N_SEEDS))


def initial_head_rng(seed):
    """Return what the initial weights of the head of a fit are drawn from."""
    return np.random.default_rng([seed, _INITIAL_HEAD])


# Batches of "auto", and from how many images on. With 64, 20 epochs over 100 images are 40 steps:
# too few for a head. Chosen by the columns of benchmarks/few_images.py.
_BATCH_SIZES = {64: 2_000, 32: 500, 16: 250, 8: 125, 4: 0}


def choose_batch_size(batch_size, n_images):
    """Return the images a step that `batch_size` stands for in a fit on so many images.

    "auto" is 64 from 2,000 images on, 32 from 500, 16 from 250, 8 from 125, and 4 below.
    """
    if batch_size != "auto":
        return batch_size
    return next(size for size, least in _BATCH_SIZES.items() if n_images >= least)


# The last epochs of fine-tuning, of all of them; of those before, how many are too early for an
# average of weights; and the share of the peak rate that goes on from there. 20,000 training images
# of CIFAR-10, the top 11 blocks at 120 px, bfloat16; accuracy (mirrored too) and log loss of 15,000
# others, with a cosine decay over all epochs and with this: 12 epochs at 3e-4 on shifted views
# 0.947, 0.252 and 0.949, 0.243, on crops (means of two) 0.945, 0.253 and 0.948, 0.245; 4 epochs at
# 5e-4 on crops 0.937, 0.284 and 0.939, 0.276. Not better: 6e-4, 24 epochs, the mean of two walks.
_SHARE_OF_FINISH, _SHARE_BEFORE_AVERAGE, _PEAK_OF_FINISH = 1 / 6, 0.3, 1 / 3


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows, in batches of one shape.

    Parameters
    ----------
    rows : ndarray of shape (n_batches, batch_size), int32
        Which row stands where; the last batch is padded.
    weights : ndarray of shape (n_batches, batch_size), float32
        Their weights; 0 for padding.
    sizes : ndarray of shape (n_batches,), float32
        Rows in each batch without padding.
    learning_rates : ndarray of shape (n_batches,), float32
    dropout_seed : int
    """

    rows: np.ndarray
    weights: np.ndarray
    sizes: np.ndarray
    learning_rates: np.ndarray
    dropout_seed: int


@dataclass(frozen=True)
class Schedule:
    """Plans the epochs of one phase of a fit.

    Parameters
    ----------
    seed : int
    batch_size : int
    learning_rate : float
        Peak step size.
    first_epoch, n_epochs : int
        Epochs planned: `first_epoch` to ``first_epoch + n_epochs - 1``.
    decay : bool, default=True
        Cosine decay from the peak to zero over `n_epochs`; else the rate stays.
    rectified : bool, default=False
        Whether the first steps are held back, by `rectification`.
    averaged : bool, default=False
        Whether the rate stays at its peak up to `finish`, where training goes on from the average
        of the weights at the ends of epochs, and the rate decays from a third of its peak to zero.
    n_views : int, default=1
        Augmented views of each image; every epoch draws one for each.
    """

    seed: int
    batch_size: int
    learning_rate: float
    first_epoch: int
    n_epochs: int
    decay: bool = True
    rectified: bool = False
    averaged: bool = False
    n_views: int = 1

    @property
    def end(self):
        """Number of the first epoch that is not planned."""
        return self.first_epoch + self.n_epochs

    @property
    def finish(self):
        """Number of the first of the last epochs: a sixth of all, at least one."""
        return self.end - max(1, round(_SHARE_OF_FINISH * self.n_epochs))

    @property
    def first_averaged(self):
        """Number of the first epoch at whose end weights count for the average."""
        return self.first_epoch + int(_SHARE_BEFORE_AVERAGE * (self.finish - self.first_epoch))

    def n_batches(self, n_rows):
        """Return how many batches an epoch over `n_rows` rows has."""
        return math.ceil(n_rows / self.batch_size)

    def plan(self, epoch, weights):
        """Return the `Epoch` number `epoch` over rows with `weights` of shape (n,).

        Row numbers run over the views of the images: view ``v`` of image ``i`` is row
        ``i * n_views + v``.
        """
        n_rows = len(weights)
        rng = np.random.default_rng([self.seed, _ORDER, epoch])
        order = rng.permutation(n_rows)
        if self.n_views > 1:
            views = rng.integers(self.n_views, size=n_rows)
        else:
            views = np.zeros(n_rows, np.int64)
        batch_size, n_batches = min(self.batch_size, n_rows), self.n_batches(n_rows)
        in_batches = partial(_in_batches, shape=(n_batches, batch_size))
        return Epoch(
            # Padded with rows that are there, of weight 0: batch normalisation sees real images.
            rows=np.resize(order * self.n_views + views, (n_batches, batch_size)).astype(np.int32),
            weights=in_batches((weights / weights.mean())[order], np.float32),
            sizes=in_batches(np.ones(n_rows), np.float32).sum(axis=1),
            learning_rates=self._learning_rates(epoch, n_batches),
            dropout_seed=int(np.random.default_rng([self.seed, _DROPOUT, epoch]).integers(2**31)),
        )

    def _learning_rates(self, epoch, n_batches):
        if not self.decay:
            return np.full(n_batches, self.learning_rate, np.float32)
        steps = (epoch - self.first_epoch) * n_batches + np.arange(n_batches)
        peak, first_decayed = self.learning_rate, self.first_epoch
        if self.averaged and self.finish > self.first_epoch:
            first_decayed = self.finish
            if epoch >= self.finish:
                peak *= _PEAK_OF_FINISH
        progress = steps / n_batches - (first_decayed - self.first_epoch)
        progress = np.clip(progress / (self.end - first_decayed), 0, 1)
        rates = peak * (1 + np.cos(np.pi * progress)) / 2
        if self.rectified:
            rates *= rectification(steps + 1)
        return rates.astype(np.float32)


_ADAM_BETA_2 = 0.999


def rectification(steps):
    """Return the share of its step that Adam may take as the number `steps` (from 1).

    Adam divides by a running mean of squared gradients. As long as it has seen few of them, that
    mean is now and then much too small and the step much too large: pretrained weights are thrown
    off. This factor makes up for its variance: 0.02 up to step 5, 0.15 at 50, 0.37 at 300, 0.83
    at 2,000. (The paper has none before step 5: a run of four steps would leave all as it is.)

    References
    ----------
    Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020 (RAdam).
    """
    steps = np.maximum(steps, 5)
    power = _ADAM_BETA_2**steps
    longest = 2 / (1 - _ADAM_BETA_2) - 1
    length = longest - 2 * steps * power / (1 - power)  # of the running mean, in gradients
    variances = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return np.sqrt(variances)


def _in_batches(values, dtype, shape):
    batches = np.zeros(shape, dtype)
    batches.flat[: len(values)] = values
    return batches
