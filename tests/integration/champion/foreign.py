"""Loads a registered model where this project cannot be imported; run as a plain script.

Usage: python -I -S foreign.py SITE_PACKAGES TRACKING_URI MODEL_URI IMAGES.npy OUT.json
"""

import importlib.util
import json
import sys

# Without `site` no .pth file is read, so the editable install's finder is absent.
sys.path.append(sys.argv.pop(1))
for name in ("conf", "data", "flows", "models", "tasks"):
    assert importlib.util.find_spec(name) is None, f"{name} can still be imported"

import pickle  # noqa: E402

import mlflow  # noqa: E402
import numpy as np  # noqa: E402


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("a pickle was read")


uri, model_uri, images, out = sys.argv[1:]
mlflow.set_tracking_uri(uri)
import torch  # noqa: E402
import torch.export  # noqa: E402

pickle.load = pickle.loads = refuse
torch.load = refuse
model = mlflow.pyfunc.load_model(model_uri)
rows = np.load(images)
answers = model.predict(rows)
one = model.predict(rows[:1])
errors = []
for wrong in (rows[:, :7], rows[:2].astype("float32"), np.full_like(rows[:1], np.nan)):
    try:
        model.predict(wrong)
        errors.append("")
    except Exception as error:
        errors.append(str(error))
with open(out, "w") as file:
    json.dump(
        {
            "columns": list(answers.columns),
            "labels": answers["label"].tolist(),
            "probabilities": answers.iloc[:, 1:].to_numpy().tolist(),
            "one": one["label"].tolist(),
            "errors": errors,
            "modules": [name for name in sys.modules if name.split(".")[0] in ("tasks", "conf")],
            "metadata": model.metadata.metadata,
        },
        file,
    )
