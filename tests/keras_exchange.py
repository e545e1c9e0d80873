"""Exchange with Keras, held to the README: its Python lines are run as they stand there, the file goes through the
native command, and a file of Convlet's goes back into Keras.

    python3 tests/keras_exchange.py target/release/convlet

Exit status 77 where Keras is not installed (pip install keras tensorflow-cpu safetensors pillow).
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import keras
    import numpy as np
    import safetensors.numpy
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

layers = keras.layers
root = pathlib.Path(__file__).resolve().parent.parent


def article(side, filters, more_filters, units):
    """The article's network for pictures of `side` pixels."""
    return keras.Sequential([
        keras.Input((side, side, 3)),
        layers.Conv2D(filters, 3, activation="relu"),
        layers.MaxPooling2D(2, strides=2),
        layers.Conv2D(more_filters, 3, activation="relu"),
        layers.MaxPooling2D(2, strides=2),
        layers.Flatten(),
        layers.Dense(units, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])


def skip_connection(side=8, classes=3):
    """A model that is no chain, and so Functional."""
    picture = keras.Input((side, side, 3))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(picture)
    x = layers.BatchNormalization()(x)
    before = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same")(before)
    x = layers.Add()([before, x])
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(classes)(x)
    return keras.Model(picture, layers.Activation("softmax")(x))


def every_layer():
    """One of each layer that Convlet has, with arguments other than the defaults."""
    picture = keras.Input((17, 13, 3), name="picture")
    x = layers.Rescaling(2, offset=-1)(picture)
    x = layers.ZeroPadding2D(((0, 1), (2, 0)))(x)
    x = layers.Conv2D(6, (3, 5), strides=2, padding="same", activation="relu6", name="first")(x)
    y = layers.SeparableConv2D(6, 3, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization(momentum=0.8, epsilon=1e-2, scale=False)(y)
    x = layers.LeakyReLU(0.1)(layers.Add()([x, y]))
    x = layers.Concatenate()([x, layers.MaxPooling2D(3, strides=1, padding="same")(x), y])
    x = layers.AveragePooling2D(2, padding="same")(layers.Dropout(0.25)(x))
    x = layers.DepthwiseConv2D(2, strides=2, activation="relu")(x)
    x = layers.Concatenate()([layers.Flatten()(x), layers.GlobalAveragePooling2D()(x)])
    return keras.Model(picture, layers.Softmax()(layers.Dense(3, activation="linear")(x)), name="every")


def every_activation():
    """Each activation over the same units, side by side."""
    picture = keras.Input((8, 8, 1))
    x = layers.Dense(4)(layers.Flatten()(picture))
    names = "linear relu relu6 leaky_relu silu hard_silu sigmoid hard_sigmoid tanh".split()
    x = layers.Concatenate()([layers.Activation(name)(x) for name in names])
    return keras.Model(picture, layers.Dense(3, activation="softmax")(x))


def mobile_net():
    """A network as it comes off the shelf."""
    return keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=3)


def readme_python(what, names):
    """Runs the README's Python block whose first line is `# what`, with `names` defined; returns what it defines."""
    readme = (root / "README.md").read_text()
    block = re.search(rf"```python\n# {what}\b.*?```", readme, re.DOTALL)
    code = block.group(0).removeprefix("```python\n").removesuffix("```")
    if "path" in names:
        code = code.replace('"model.safetensors"', "path")
    exec(code, names)
    return names


def convlet(command, *arguments):
    """What the native command prints as JSON."""
    run = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def compare(model, labels, predictions, picture):
    """Holds the command's predictions to Keras's, and returns the largest difference."""
    outputs = model.predict(picture[None].astype("float32") * np.float32(1 / 255), verbose=0)[0]
    expected = [1 - outputs[0], outputs[0]] if len(outputs) == 1 else outputs
    got = {each["label"]: each["confidence"] for each in predictions}
    assert set(got) == set(labels), f"expected {labels}, got {got}"
    difference = max(abs(got[label] - value) for label, value in zip(labels, expected))
    assert difference < 1e-5, f"expected {expected}, got {got}"
    return difference


def main(command):
    keras.utils.set_random_seed(7)
    random = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, model, labels in [
            ("sequential", article(14, 4, 6, 8), ["cat", "dog"]),
            ("skip connection", skip_connection(), ["a", "b", "c"]),
            ("every layer", every_layer(), ["a", "b", "c"]),
            ("every activation", every_activation(), ["a", "b", "c"]),
            ("MobileNetV2", mobile_net(), ["a", "b", "c"]),
        ]:
            height, width, channels = model.input_shape[1:]
            blocks = random.integers(0, 256, (4, 8, 8, channels), dtype="uint8")
            pictures = blocks.repeat(5, axis=1).repeat(5, axis=2)[:, :height, :width]
            # Biases other than zero, and statistics that fit, or every picture would get the same answer.
            for weight in model.trainable_weights:
                if len(weight.shape) == 1:
                    weight.assign(weight.numpy() + random.normal(0, 0.1, weight.shape))
            norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
            for layer in norms:
                layer.momentum = 0.0
            model(pictures / np.float32(255), training=True)
            for layer in norms:
                # A channel that hardly varies would blow rounding up.
                variance = layer.moving_variance.numpy()
                layer.moving_variance.assign(np.maximum(variance, variance.mean()))
            outputs = model.predict(pictures / np.float32(255), verbose=0)
            assert np.ptp(outputs, axis=0).max() > 1e-4, outputs

            # Keras -> file -> native command
            path = folder / f"{name}.safetensors"
            readme_python("export", {"model": model, "labels": labels, "path": path})
            files = []
            for i, picture in enumerate(pictures):
                files.append(folder / f"{name}{i}.png")
                Image.fromarray(picture.squeeze()).save(files[-1])
            answers = convlet(command, "predict", "--json", path, *files)
            worst = max(
                compare(model, labels, answer["predictions"], picture)
                for answer, picture in zip(answers, pictures, strict=True)
            )
            print(f"{name}: Keras's file in the native command, largest difference {worst:.1e}")

        # Native command -> file -> Keras
        data = folder / "data"
        labels = ["dark", "light"]
        for label in labels:
            (data / label).mkdir(parents=True)
            for i in range(8):
                shade = random.integers(0, 100, (16, 16, 3)) + (150 if label == "light" else 0)
                Image.fromarray(shade.astype("uint8")).save(data / label / f"{i}.png")
        files = sorted(data.glob("*/*.png"))
        (folder / "skip.json").write_text(skip_connection(16, 2).to_json())
        for network in [["article", "--input-size", "16"], [folder / "skip.json"]]:
            path = folder / "ours.safetensors"
            train = [command, "train", data, "--epochs", "1", "--out", path, "--architecture", *network]
            subprocess.run(list(map(str, train)), check=True, capture_output=True)
            model = readme_python("import", {"path": path})["model"]
            answers = convlet(command, "predict", "--json", path, *files)
            worst = max(
                compare(model, labels, answer["predictions"], np.asarray(Image.open(file)))
                for answer, file in zip(answers, files, strict=True)
            )
            print(f"{model.name}: the native command's file in Keras, largest difference {worst:.1e}")


if __name__ == "__main__":
    main(sys.argv[1])
