"""Augmentation presets, and the transforms that each kind of data supports."""

from __future__ import annotations

from collections.abc import Collection

from conf.schema.augment import (
    Augment,
    Blur,
    Colour,
    Crop,
    Erase,
    Jitter,
    Mixup,
    Noise,
    Rotate,
    Shear,
    Shift,
    Typos,
    WordNoise,
    Zoom,
)

# Which changes each kind of data knows.
KNOWN: dict[str, tuple[str, ...]] = {
    "image": (
        "rotate", "shift", "shear", "zoom", "flip", "crop", "noise", "blur", "colour", "erase",
        "mixup", "cutmix", "oversample",
    ),
    "text": ("synonyms", "swap", "delete", "typos", "back_translation", "oversample"),
    "pairs": ("typos",),
    "table": ("jitter", "mixup", "oversample"),
}  # fmt: skip

# No preset mirrors: whether a mirrored image keeps its label, only the user knows.
PRESETS: dict[tuple[str, str], dict[str, object]] = {
    ("image", "light"): {
        "rotate": Rotate(degrees=8),
        "shift": Shift(fraction=0.06),
        "colour": Colour(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.01, p=0.3),
    },
    ("image", "medium"): {
        "rotate": Rotate(degrees=15),
        "shift": Shift(fraction=0.1),
        "shear": Shear(degrees=5, p=0.3),
        "zoom": Zoom(fraction=0.12),
        "colour": Colour(),
        "noise": Noise(deviation=0.03, p=0.2),
        "blur": Blur(sigma=0.8, p=0.1),
    },
    ("image", "heavy"): {
        "rotate": Rotate(degrees=25, p=0.7),
        "shift": Shift(fraction=0.15, p=0.7),
        "shear": Shear(degrees=10),
        "zoom": Zoom(fraction=0.2, p=0.7),
        "crop": Crop(smallest=0.6),
        "colour": Colour(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.05, p=0.7),
        "noise": Noise(deviation=0.06),
        "blur": Blur(sigma=1.2),
        "erase": Erase(holes=2, size=0.25),
    },
    ("text", "light"): {"typos": Typos(share=0.01, p=0.2), "delete": WordNoise(share=0.05, p=0.2)},
    ("text", "medium"): {"typos": Typos(), "delete": WordNoise(), "swap": WordNoise()},
    ("text", "heavy"): {
        "typos": Typos(share=0.05, p=0.5),
        "delete": WordNoise(share=0.2, p=0.5),
        "swap": WordNoise(share=0.2, p=0.5),
    },
    ("pairs", "light"): {"typos": Typos(share=0.01, p=0.2)},
    ("pairs", "medium"): {"typos": Typos()},
    ("pairs", "heavy"): {"typos": Typos(share=0.05, p=0.5)},
    ("table", "light"): {"jitter": Jitter(deviation=0.03)},
    ("table", "medium"): {"jitter": Jitter(deviation=0.07), "mixup": Mixup(alpha=0.2, p=0.5)},
    ("table", "heavy"): {"jitter": Jitter(deviation=0.15), "mixup": Mixup(alpha=0.4)},
}


def resolved(augment: Augment, kind: str) -> Augment:
    """The section with its preset as defaults."""
    if augment.preset is None:
        return augment
    named = {name: value for name, value in augment if value is not None}
    return Augment(**{**PRESETS[kind, augment.preset], **named})


def wrong_for(augment: Augment, kind: str, searched: Collection[str] = ()) -> list[str]:
    """Transforms in the section, or searched over, that a kind of data does not support."""
    named = [name for name, value in augment if value is not None or name in searched]
    return [name for name in named if name != "preset" and name not in KNOWN[kind]]
