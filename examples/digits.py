"""Two models of handwritten digits: a picture to its digit, and a noisy picture to a clean one."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.svm import SVC

from examples.repository import save_model

WIDTH = 8
DARKEST = 16.0
# Eight pixels are too few to look at: each becomes a square of this many.
ENLARGED = 20
NOISE = 4.0
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

Pixels = npt.NDArray[np.float64]
Digits = npt.NDArray[np.int64]


def split() -> tuple[Pixels, Pixels, Digits, Digits]:
    """Return pixels to learn from and held out, [n, 64] of 0 (paper) to 16 (ink), and digits."""
    data = load_digits()
    learn, held_out, digits, truth = train_test_split(
        data.data, data.target, test_size=0.2, random_state=0, stratify=data.target
    )
    return learn, held_out, digits, truth


def fit_reader(pixels: Pixels, digits: Digits) -> CalibratedClassifierCV:
    """Train the model that reads a digit, with a probability for each of the ten."""
    model = CalibratedClassifierCV(SVC(gamma=0.001, C=10.0), cv=3, ensemble=False)
    model.fit(pixels, digits)
    return model


def fit_cleaner(pixels: Pixels) -> KNeighborsRegressor:
    """Train the model that cleans a picture: the mean of the clean ones that look most like it."""
    model = KNeighborsRegressor(n_neighbors=8, weights="distance")
    model.fit(pixels, pixels)
    return model


def add_noise(pixels: Pixels) -> Pixels:
    """Return the pixels with grey specks all over, the same ones each time."""
    specks = np.random.default_rng(0).normal(0, NOISE, pixels.shape)
    return np.clip(pixels + specks, 0, DARKEST).round()


def save_picture(pixels: Pixels, path: Path) -> None:
    """Write 64 pixels as a PNG of 160 x 160, dark ink on white paper."""
    light = 255 - pixels.reshape(WIDTH, WIDTH) / DARKEST * 255
    small = Image.fromarray(light.round().astype(np.uint8))
    size = WIDTH * ENLARGED
    small.resize((size, size), Image.Resampling.NEAREST).save(path)


def write_samples(pixels: Pixels, digits: Digits, data: Path) -> None:
    """Write one held-out picture of each digit, clean and noisy."""
    noisy = add_noise(pixels)
    for digit, name in enumerate(NAMES):
        row = int(np.flatnonzero(digits == digit)[0])
        save_picture(pixels[row], data / f"{name}.png")
        save_picture(noisy[row], data / f"noisy-{name}.png")


def build(models: Path, data: Path) -> None:
    """Write both models below `models` and sample pictures below `data`."""
    learn, held_out, digits, truth = split()
    save_model(models, "digits", fit_reader(learn, digits))
    save_model(models, "denoise", fit_cleaner(learn))
    write_samples(held_out, truth, data)
