"""Loads a model folder where this project cannot be imported; run as a plain script.

Usage: python -I -S foreign.py SITE_PACKAGES MODEL_FOLDER TEXTS.json OUT.json
"""

import importlib.util
import json
import sys
from pathlib import Path

# Without `site` no .pth file is read, so the editable install's finder is absent.
sys.path.append(sys.argv.pop(1))
for name in ("conf", "data", "flows", "models", "tasks"):
    assert importlib.util.find_spec(name) is None, f"{name} can still be imported"

import pickle  # noqa: E402

import mlflow  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("a pickle was read")


pickle.load = pickle.loads = refuse
torch.load = refuse
folder, texts, out = sys.argv[1:]
model = mlflow.pyfunc.load_model(folder)
given = json.loads(Path(texts).read_text())
answers = {
    "list": model.predict(given)["text"].tolist(),
    "frame": model.predict(pd.DataFrame(given))["text"].tolist(),
    "one": model.predict(given[:1])["text"].tolist(),
}
Path(out).write_text(json.dumps(answers))
