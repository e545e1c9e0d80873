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


def skip_connection():
    """Every kind of layer that makes a Functional model of it."""
    picture = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(picture)
    x = layers.BatchNormalization()(x)
    before = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same")(before)
    x = layers.Add()([before, x])
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(3)(x)
    return keras.Model(picture, layers.Activation("softmax")(x))


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


def compare(model, labels, predictions, picture, rescale=1 / 255):
    """Holds the command's predictions to Keras's, and returns the largest difference."""
    outputs = model.predict(picture[None].astype("float32") * np.float32(rescale), verbose=0)[0]
    expected = [1 - outputs[0], outputs[0]] if len(outputs) == 1 else outputs
    got = {each["label"]: each["confidence"] for each in predictions}
    assert set(got) == set(labels), f"expected {labels}, got {got}"
    difference = max(abs(got[label] - value) for label, value in zip(labels, expected))
    assert difference < 1e-5, f"expected {expected}, got {got}"
    return difference


def main(command):
    random = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, model, labels in [
            ("sequential", article(14, 4, 6, 8), ["cat", "dog"]),
            ("functional", skip_connection(), ["a", "b", "c"]),
        ]:
            side = model.input_shape[1]
            pictures = random.integers(0, 256, (32, side, side, 3), dtype="uint8")
            targets = random.integers(0, len(labels), 32)
            loss = "binary_crossentropy" if len(labels) == 2 else "sparse_categorical_crossentropy"
            model.compile("adam", loss)
            model.fit(pictures / np.float32(255), targets, epochs=3, verbose=0)

            # Keras -> file -> native command
            path = folder / f"{name}.safetensors"
            readme_python("export", {"model": model, "labels": labels, "path": path})
            files = []
            for i, picture in enumerate(pictures[:4]):
                files.append(folder / f"{name}{i}.png")
                Image.fromarray(picture).save(files[-1])
            answers = convlet(command, "predict", "--json", path, *files)
            worst = max(
                compare(model, labels, answer["predictions"], picture)
                for answer, picture in zip(answers, pictures, strict=False)
            )
            assert len(answers) == len(files)
            print(f"{name}: Keras's file in the native command, largest difference {worst:.1e}")

        # native command -> file -> Keras
        for label in ["dark", "light"]:
            (folder / "data" / label).mkdir(parents=True)
            for i in range(8):
                shade = random.integers(0, 100, (64, 64, 3)) + (150 if label == "light" else 0)
                Image.fromarray(shade.astype("uint8")).save(folder / "data" / label / f"{i}.png")
        path = folder / "ours.safetensors"
        data = folder / "data"
        train = [command, "train", data, "--validation", data, "--epochs", "1", "--seed", "1", "--out", path]
        subprocess.run(list(map(str, train)), check=True, capture_output=True)
        model = readme_python("import", {"path": path})["model"]
        files = sorted(data.glob("*/*.png"))
        answers = convlet(command, "predict", "--json", path, *files)
        worst = max(
            compare(model, ["dark", "light"], answer["predictions"], np.asarray(Image.open(file)))
            for answer, file in zip(answers, files, strict=True)
        )
        print(f"back: the native command's file in Keras, largest difference {worst:.1e}")


if __name__ == "__main__":
    main(sys.argv[1])
