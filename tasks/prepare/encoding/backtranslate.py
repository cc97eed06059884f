"""Back-translation: every text translated by one model and back by another, once.

In a process of its own, since the driver imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from conf.runtime.child_process import answer, call
from conf.runtime.errors import BadInput
from conf.runtime.file_lock import temporary_lock
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.prepare.store.store import Prepared

BATCH = 32
SECONDS = 7 * 86_400.0
"""A large set on few cores takes days; whoever does not want that stops the study."""
LONGER = 2
"""A translation has at most so many times the tokens of its text, and `MORE`."""
MORE = 16

Tokens = Any
Model = Any


def translate(study: Study, home: Home, prepared: Prepared, say: Callable[[str], None]) -> None:
    """Write the paraphrases that the study's texts are changed by, unless they are there.

    Raises:
        BadInput: a model cannot be had or is none that translates, or has changed since.
        DenseError: the translation failed.
    """
    wanted = study.augment.back_translation
    if wanted is None:
        return
    from data.assets.pretrained import digest, facts_of, located
    from data.transforms.backtranslations import paraphrases_file

    folders = [located(one, home) for one in (wanted.there, wanted.back)]
    for folder in folders:
        facts_of(folder)
    models = [digest(folder) for folder in folders]
    file = paraphrases_file(home, prepared.key, wanted)
    with temporary_lock(file.with_suffix(".lock")):
        if file.exists():
            _same_models(file, models)
            return
        say("data: translating every text there and back, once")
        request = {
            "parts": [str(prepared.train), str(prepared.validation)],
            "models": [str(folder) for folder in folders],
            "digests": models,
            "file": str(file),
        }
        threads = study.resources.threads
        log = home.logs / "translate.log"
        call(__name__, request, log=log, threads=threads, seconds=SECONDS)


def _same_models(file: Path, models: list[str]) -> None:
    import pyarrow as pa

    with pa.memory_map(str(file)) as source:
        known = pa.ipc.open_file(source).schema.metadata[b"models"].decode()
    if known != " ".join(models):
        raise BadInput(
            "augment.back_translation: a model is not the one that has translated these texts "
            f"before; restore it, or delete {file} to translate anew"
        )


def translated(request: Mapping[str, Any]) -> dict[str, Any]:
    """The process's side: read the texts, translate them twice, write them in order of their id."""
    import numpy as np
    import pyarrow as pa

    from data.loading.split_reader import PreparedSplit

    split = PreparedSplit([Path(path) for path in request["parts"]])
    texts = split.texts("text").to_pylist()
    for folder in request["models"]:
        texts = by_model(Path(folder), texts)
    order = np.argsort(split.ids, kind="stable")
    columns = {"id": pa.array(split.ids[order]), "text": pa.array([texts[i] for i in order])}
    table = pa.table(columns).replace_schema_metadata({"models": " ".join(request["digests"])})
    file = Path(request["file"])
    half = file.with_suffix(".half")
    with pa.OSFile(str(half), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    half.replace(file)
    return {"rows": len(texts)}


def by_model(folder: Path, texts: list[str]) -> list[str]:
    """The texts in the other language, by the likeliest next token; like lengths together.

    Raises:
        BadInput: the model is none that turns texts into texts.
    """
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSeq2SeqLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise BadInput(
            f"augment.back_translation: {folder} does not translate ({reason})"
        ) from error
    out = list(texts)
    for rows in _batches(texts):
        found = _generated(tokenizer, model.eval(), [texts[row] for row in rows])
        for row, text in zip(rows, found, strict=True):
            out[row] = text
    return out


def _batches(texts: list[str]) -> Iterator[list[int]]:
    order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), row))
    yield from (order[first : first + BATCH] for first in range(0, len(order), BATCH))


def _generated(tokenizer: Tokens, model: Model, texts: list[str]) -> list[str]:
    longest = getattr(model.config, "max_position_embeddings", None) or 512
    given = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=longest)
    given.pop("token_type_ids", None)
    most = min(longest, LONGER * given["input_ids"].shape[1] + MORE)
    written = model.generate(**given, num_beams=1, do_sample=False, max_length=most)
    found = tokenizer.batch_decode(written, skip_special_tokens=True)
    return [text.strip() for text in found]


if __name__ == "__main__":
    answer(translated)
