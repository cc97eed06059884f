"""Augmentation: within bounds, seeded, cheap in surprises, and blended labels that add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.schema.augment import Augment, Crop, Flip, Oversample, Rotate, Shift, Zoom
from data.transforms.images import Pipeline, drawn
from data.transforms.mixup import Mixer, cut, mixed
from data.transforms.oversample import repeated_rows, sampled_counts, smote
from data.transforms.presets import KNOWN, PRESETS, resolved, wrong_for
from data.transforms.texts import TextPipeline, mistyped

STEPS = st.integers(0, 2**40)


@pytest.mark.parametrize("preset", ["light", "medium", "heavy"])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((8, 8, 1), np.float32), ((28, 20, 1), np.uint8), ((33, 41, 3), np.uint8)],
    ids=["small floats", "grey", "colour"],
)
def test_presets_keep_shape_type_and_range(preset, shape, dtype):
    top = 1.0 if dtype == np.float32 else 255
    image = (np.random.default_rng(0).random(shape) * top).astype(dtype)
    pipeline = Pipeline(resolved(Augment(preset=preset), "image"), 1, shape[2])
    changed = [pipeline(image, epoch, 7) for epoch in range(20)]
    assert all(one.shape == shape and one.dtype == dtype for one in changed)
    assert all(one.min() >= 0 and one.max() <= top for one in changed)
    assert any((one != image).any() for one in changed)
    assert (image <= top).all()  # and the original is as it was


@given(epoch=st.integers(0, 10_000), row=STEPS, seed=st.integers(0, 2**63 - 1))
@settings(max_examples=25, deadline=None)
def test_a_change_is_a_function_of_seed_epoch_and_row(epoch, row, seed):
    image = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    heavy = resolved(Augment(preset="heavy"), "image")
    one, two = Pipeline(heavy, seed, 3), Pipeline(heavy, seed, 3)
    two(image, epoch + 1, row)  # what came before has no part in it
    assert (one(image, epoch, row) == two(image, epoch, row)).all()


@pytest.mark.parametrize(
    ("augment", "expected"),
    [
        (Augment(flip=Flip(p=1)), lambda image: image[:, ::-1]),
        (Augment(flip=Flip(axis="vertical", p=1)), lambda image: image[::-1]),
        (Augment(rotate=Rotate(degrees=0, p=1)), lambda image: image),
        (Augment(shift=Shift(fraction=0, p=1)), lambda image: image),
        (Augment(zoom=Zoom(fraction=0, p=1)), lambda image: image),
        (Augment(crop=Crop(smallest=1, p=1)), lambda image: image),
        (Augment(rotate=Rotate(p=0)), lambda image: image),
    ],
    ids=["mirror", "upside down", "no angle", "no shift", "no zoom", "no crop", "no chance"],
)
def test_geometry_is_exact_where_it_can_be(augment, expected):
    image = np.arange(48, dtype=np.uint8).reshape(8, 6, 1)
    assert (Pipeline(augment, 0, 1)(image, 0, 0) == expected(image)).all()


def test_a_quarter_turn_is_numpys_quarter_turn(monkeypatch):
    import random

    class Fixed(random.Random):
        def uniform(self, a, b):
            return b

        def random(self):
            return 0.0

    image = np.random.default_rng(0).integers(0, 256, (9, 9, 1), dtype=np.uint8)
    matrix = drawn(Augment(rotate=Rotate(degrees=90)), Fixed(), 9, 9)
    import cv2

    turned = cv2.warpAffine(image, matrix, (9, 9)).reshape(image.shape)
    assert (turned == np.rot90(image)).all()


@pytest.mark.parametrize("kind", sorted(KNOWN))
def test_presets_name_only_what_the_kind_knows(kind):
    for preset in ("light", "medium", "heavy"):
        assert set(PRESETS[kind, preset]) <= set(KNOWN[kind])
        assert not wrong_for(resolved(Augment(preset=preset), kind), kind)


def test_what_is_named_goes_before_the_preset():
    augment = Augment(preset="medium", rotate=Rotate(degrees=90))
    found = resolved(augment, "image")
    assert found.rotate == Rotate(degrees=90)
    assert found.shear is not None


def test_searched_changes_count_as_named():
    assert wrong_for(Augment(), "table", {"rotate", "jitter"}) == ["rotate"]


X = np.random.default_rng(0).random((6, 1, 8, 8)).astype(np.float32)
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    "augment",
    [{"mixup": {"p": 1}}, {"cutmix": {"p": 1}}, {"mixup": {"p": 0.5}, "cutmix": {"p": 0.5}}],
    ids=["mixup", "cutmix", "both"],
)
def test_blended_labels_are_distributions(augment):
    mixer = Mixer(Augment.model_validate(augment), 3, 0)
    for epoch in range(10):
        x, y = mixer(X, Y, epoch, 0)
        assert x.shape == X.shape
        assert y.dtype == x.dtype == np.float32
        np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)
        again = mixer(X, Y, epoch, 0)
        assert (again[0] == x).all()


def test_blends_are_in_proportion():
    one = np.eye(2, dtype=np.float32)
    rows = np.stack([np.zeros((1, 10, 10)), np.ones((1, 10, 10))]).astype(np.float32)
    x, y = mixed(rows, one, np.array([1, 0]), 0.25)
    assert (x[0].mean(), y[0].tolist()) == (0.75, [0.25, 0.75])
    x, y = cut(rows, one, np.array([1, 0]), 0.64, np.random.default_rng(0))
    assert x[0].mean() == pytest.approx(y[0, 1]) == pytest.approx(0.36)


def test_rare_classes_are_repeated_evenly():
    labels = np.array([0] * 10 + [1] * 3)
    extra = repeated_rows(labels, Oversample(), 0)
    assert len(extra) == 7
    assert set(extra.tolist()) == {10, 11, 12}
    assert np.bincount(extra)[10:].max() - np.bincount(extra)[10:].min() <= 1
    assert len(repeated_rows(labels, Oversample(share=0.5), 0)) == 2


@pytest.mark.parametrize(
    ("counts", "oversample", "sampled"),
    [
        ([10, 40, 0], None, [10, 40, 0]),
        ([10, 40, 0], {}, [40, 40, 0]),
        ([10, 40, 0], {"share": 0.5}, [20, 40, 0]),
        ([10, 40, 1], {"kind": "smote"}, [40, 40, 1]),
    ],
    ids=["none", "all", "half", "one row has no neighbours"],
)
def test_rows_of_each_class_as_sampled(
    counts: list[int], oversample: dict[str, object] | None, sampled: list[int]
) -> None:
    given = None if oversample is None else Oversample.model_validate(oversample)
    assert sampled_counts(counts, given) == sampled


def test_synthetic_rows_lie_between_rows_of_their_class():
    labels = np.array([0] * 12 + [1] * 4 + [2])
    features = np.random.default_rng(0).normal(size=(17, 2)).astype(np.float32)
    features[12:16] += 100
    x, y = smote(features, labels, Oversample(kind="smote"), 0, np.ones(2, dtype=np.float32))
    assert np.bincount(y).tolist() == [0, 8]
    assert (x.min(axis=0) >= features[12:16].min(axis=0)).all()
    assert (x.max(axis=0) <= features[12:16].max(axis=0)).all()


SENTENCE = "The quick brown fox jumps over the lazy dog and runs away"


@pytest.mark.parametrize(
    "text",
    [SENTENCE, "小熊宝宝我觉得孩子不喜欢，能换别的吗", "a", "!"],
    ids=["en", "zh", "one", "none"],
)
def test_texts_change_by_seed_and_never_vanish(text):
    augment = Augment.model_validate(
        {"typos": {"share": 0.5, "p": 1}, "delete": {"share": 1, "p": 1}, "swap": {"p": 1}}
    )
    pipeline = TextPipeline(augment, 3)
    changed = [pipeline(text, epoch, 5) for epoch in range(20)]
    assert all(one.strip() for one in changed)
    assert changed == [TextPipeline(augment, 3)(text, epoch, 5) for epoch in range(20)]


def test_synonyms_keep_case_and_find_chinese_words():
    augment = Augment.model_validate({"synonyms": {"share": 1, "p": 1}})
    known = {"quick": ["fast"], "the": ["a"], "喜欢": ["喜爱"]}
    pipeline = TextPipeline(augment, 0, known)
    assert pipeline("The quick fox", 0, 0) == "A fast fox"
    assert pipeline("我喜欢它", 0, 0) == "我喜爱它"


def test_typos_change_about_the_share_named():
    import random

    text = "abcdefghij" * 200
    same = sum(a == b for a, b in zip(mistyped(text, 0.0, random.Random(0)), text, strict=True))
    assert same == len(text)
    assert len(mistyped(text, 0.1, random.Random(0))) == pytest.approx(len(text), rel=0.05)
