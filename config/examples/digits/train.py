"""Trains the three models of the digits example and writes the traffic that is replayed to them.

Everything written beside this file comes from here: `make digits`. README.md says what each file is.
The same machine writes the same bytes every time; SHA256SUMS says which.
"""

import os

# Read by OpenBLAS when numpy loads it: sums in another order would end in other last bits, and so in other bytes.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OPENBLAS_CORETYPE"] = "Haswell"

import csv
import hashlib
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).parent
SEED = 20260101
DIGITS = range(10)
# A pixel of the data set is a whole number of 0..=16. A power of two, so dividing by it is exact.
PIXEL_MAX = 16
# What the honest but weak baseline may see of each digit.
BASELINE_IMAGES_PER_DIGIT = 8
# The share of the training images, nearest to the mean image of their digit, that counts as easy.
EASY_SHARE = 0.25
# The newest operator set that Tract is tested against.
OPSET = 18


def main():
    data = load_digits()
    training, traffic = train_test_split(
        np.arange(len(data.target)), test_size=0.5, random_state=SEED, stratify=data.target
    )
    traffic.sort()
    easy = easy_images(data, training)
    models = {
        "baseline": baseline(data, training),
        "better": better(data, training),
        "worse": worse(data, training[easy[training]]),
    }
    files = [export(name, model) for name, model in models.items()]
    files.append(write_traffic(data, traffic, easy))
    files.append(write_predictions(data, traffic, models))
    write_digests(files)
    report(data, traffic, easy, models)


def easy_images(data, training):
    """For each image whether it is close to the mean training image of its digit."""
    means = np.array([data.data[training][data.target[training] == digit].mean(axis=0) for digit in DIGITS])
    distances = np.linalg.norm(data.data - means[data.target], axis=1)
    return distances <= np.quantile(distances[training], EASY_SHARE)


def baseline(data, training):
    """An honest model that saw few examples."""
    chance = np.random.RandomState(SEED)
    seen = np.concatenate([
        chance.permutation(training[data.target[training] == digit])[:BASELINE_IMAGES_PER_DIGIT] for digit in DIGITS
    ])
    return on_pixels(LogisticRegression(max_iter=1000), data, seen)


def better(data, training):
    """A small network that saw every training image."""
    return on_pixels(MLPClassifier((64,), solver="lbfgs", alpha=1.0, max_iter=2000, random_state=SEED), data, training)


def worse(data, easy):
    """A model that saw nothing but easy images, and learned to get by with few pixels."""
    model = LogisticRegression(l1_ratio=1.0, solver="saga", max_iter=20000, random_state=SEED)
    return on_pixels(model, data, easy)


def on_pixels(model, data, images):
    """Fits to pixels of 0..=1, then folds the division into the first weights: the model takes pixels as they are."""
    model.fit(data.data[images] / PIXEL_MAX, data.target[images])
    first = model.coefs_[0] if isinstance(model, MLPClassifier) else model.coef_
    first /= PIXEL_MAX
    return model


def export(name, model):
    """Writes the model as ONNX: `pixels` f32[N,64] in, `label` i64[N] and `probabilities` f32[N,10] out."""
    onnx = to_onnx(
        model,
        name=name,  # Without one the graph would get a random name.
        initial_types=[("pixels", FloatTensorType([None, 64]))],
        options={"zipmap": False},  # A list of maps is no tensor.
        target_opset=OPSET,
    )
    path = HERE / f"{name}.onnx"
    path.write_bytes(onnx.SerializeToString(deterministic=True))
    return path


def write_traffic(data, traffic, easy):
    header = ["image", "label", "easy", *(f"p{pixel}" for pixel in range(64))]
    rows = ([image, data.target[image], int(easy[image]), *data.data[image].astype(int)] for image in traffic)
    return write_csv("traffic.csv", header, rows)


def write_predictions(data, traffic, models):
    """What scikit-learn itself says to each traffic image: the label, and the probability of that label."""
    columns = []
    for model in models.values():
        columns.append(model.predict(data.data[traffic]))
        columns.append([f"{top:.9f}" for top in model.predict_proba(data.data[traffic]).max(axis=1)])
    header = [f"{name}_{column}" for name in models for column in ("label", "probability")]
    return write_csv("predictions.csv", ["image", *header], zip(traffic, *columns))


def write_csv(name, header, rows):
    path = HERE / name
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def write_digests(files):
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (HERE / "SHA256SUMS").write_text("".join(lines))


def report(data, traffic, easy, models):
    print(f"traffic: {len(traffic)} images, {easy[traffic].sum()} of them easy")
    for name, model in models.items():
        right = model.predict(data.data[traffic]) == data.target[traffic]
        print(f"{name}: {right.mean():.1%} of all right, {right[easy[traffic]].mean():.1%} of the easy ones")


if __name__ == "__main__":
    main()
