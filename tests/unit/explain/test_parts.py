from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

from data.encoding.tokenizer import Encoder, Rules
from tasks.evaluate.predictions import LabelPredictions, NumberPredictions, Predictions
from tasks.explain import image_maps, permutation, token_maps
from tasks.explain.select_rows import chosen, described
from tests.cards import as_inputs

SURE = np.array([0.9, 0.6, 0.8, 0.95, 0.7, 0.99])
TARGETS = np.array([0, 0, 1, 1, 0, 1])
ANSWERS = np.array([0, 0, 1, 0, 1, 1])


def said() -> Predictions:
    probabilities = np.stack([1 - SURE, SURE], axis=1)
    probabilities[ANSWERS == 0] = probabilities[ANSWERS == 0][:, ::-1]
    return Predictions(10 + np.arange(6), TARGETS, ANSWERS, probabilities)


def test_right_answers_are_of_all_classes_and_wrong_ones_the_surest() -> None:
    assert chosen(said(), 3) == ([0, 2, 1], [3, 4])
    assert chosen(said(), 1) == ([0], [3])


def test_of_numbers_the_nearest_and_the_furthest() -> None:
    numbers = NumberPredictions(np.arange(3), np.zeros(3), np.array([0.5, -3.0, 0.1]))
    assert chosen(numbers, 1) == ([2], [1])
    assert chosen(numbers, 5) == ([2], [1, 0])  # none is both
    one = described(numbers, 1, right=False, classes=[])
    assert (one.target, one.said, one.sure) == ("0", "-3", None)


def test_an_answer_in_words() -> None:
    one = described(said(), 3, right=False, classes=["ill", "well"])
    assert (one.id, one.target, one.said, one.sure) == (13, "well", "ill", 0.95)


def test_of_labels_one_is_looked_at() -> None:
    targets = np.array([[1, 0], [0, 0], [1, 1], [0, 1]])
    chances = np.array([[0.9, 0.2], [0.1, 0.3], [0.8, 0.4], [0.7, 0.05]])
    labels = LabelPredictions(np.arange(4), targets, chances)
    assert chosen(labels, 3) == ([0, 1], [3, 2])  # the surest mistake first: no `b` by 95 %
    right, none, missed, wrong = (
        described(labels, place, right=place < 2, classes=["a", "b"]) for place in range(4)
    )
    assert (right.target, right.said, right.about, right.sure) == ("a", "a", "a", 0.9)
    assert (none.target, none.said, none.about, none.sure) == ("none", "none", "b", 0.7)
    assert (missed.target, missed.said, missed.about, missed.sure) == ("a, b", "a", "b", 0.6)
    assert (wrong.target, wrong.said, wrong.about, wrong.sure) == ("b", "a", "b", 0.95)


def table(rows: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    words = random.choice(["red", "blue"], rows)
    return pd.DataFrame({"a": random.normal(size=rows), "idle": 1.0, "word": words})


def score(rows: pd.DataFrame) -> NDArray[np.float64]:
    return rows["a"].to_numpy() + 3.0 * (rows["word"] == "red").to_numpy()


def test_columns_by_what_is_lost_when_they_are_shuffled() -> None:
    rows = table()
    truth = score(rows)

    def quality(changed: pd.DataFrame, places: NDArray) -> float:
        return -float(np.abs(score(changed) - truth[places]).mean())

    found = permutation.importance(rows, quality, seed=1)
    assert [each.name for each in found] == ["word", "a", "idle"]
    assert found[0].loss > found[1].loss > found[2].loss == 0 and found[0].deviation > 0
    assert found == permutation.importance(rows, quality, seed=1)
    assert found != permutation.importance(rows, quality, seed=2)
    assert rows.equals(table())  # the rows themselves stay


def test_what_counts_in_one_row_is_against_other_rows_values() -> None:
    rows = table()
    place = int(np.flatnonzero(rows["word"] == "red")[0])
    found = permutation.counted(rows, place, score, seed=1)
    assert found[0].shown == "word red" and 0.5 < found[0].weight < 3
    assert found[-1].shown == "idle 1" and found[-1].weight == 0
    assert found == permutation.counted(rows, place, score, seed=1)


def encoder(most: int, cut: str) -> Encoder:
    words = ["[CLS]", "[SEP]", "?", "good", "bad", "film"]
    known = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="?"))  # type: ignore[arg-type]
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    return Encoder(tokenizer, Rules((0,), (1,), 2, most, cut))


@pytest.mark.parametrize(
    ("most", "cut", "shown"),
    [
        pytest.param(9, "end", ["a", " ", "good", "  ", "film"], id="whole"),
        pytest.param(4, "end", ["a", " ", "good", " … "], id="the end is cut"),
        pytest.param(4, "start", [" … ", "good", "  ", "film"], id="the start is cut"),
        pytest.param(4, "middle", ["a", " … ", "film"], id="the middle is cut"),
    ],
)
def test_a_text_in_pieces(most: int, cut: str, shown: list[str]) -> None:
    text = "a good  film"
    read = token_maps.read(text, encoder(most, cut))
    assert read.tokens[[0, -1]].tolist() == [0, 1] and read.special[[0, -1]].all()
    assert len(read.tokens) == len(read.spans) + 2 == (~read.special).sum() + 2
    found = token_maps.weighed(text, read, np.arange(len(read.tokens), dtype=np.float64))
    assert [piece.shown for piece in found] == shown
    weights = [piece.weight for piece in found if piece.weight]
    assert weights == list(range(1, 1 + len(read.spans)))


def opened(png: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(png)))


def test_pictures_say_what_counts_for_and_against() -> None:
    image = opened(image_maps.heat(np.array([[2.0, 0.0], [-1.0, 0.5]])))
    pixels = np.asarray(image)
    assert tuple(pixels[0, 0]) == (*image_maps.FOR, 255)
    assert tuple(pixels[1, 0]) == (*image_maps.AGAINST, 128)
    assert pixels[0, 1, 3] == 0
    assert np.asarray(opened(image_maps.heat(np.zeros((2, 2)))))[..., 3].max() == 0


def test_a_picture_has_the_images_own_range_and_a_bounded_size() -> None:
    grey = np.array([[0.0, 16.0], [8.0, 4.0]])
    shown = np.asarray(opened(image_maps.picture(grey, as_inputs({"kind": "image", "high": 16}))))
    assert shown.tolist() == [[0, 255], [128, 64]]
    large = opened(image_maps.picture(np.zeros((400, 200, 3)), as_inputs({"kind": "image"})))
    assert large.size == (80, 160)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("so bad a film", ["so", " ", "bad", " ", "a", " ", "film"]),
        ("很好不bad好", ["很", "好", "不", "b", "a", "d", "好"]),
        (" ".join(["so"] * 150 + ["bad"]), None),
    ],
    ids=["words", "Chinese", "long"],
)
def test_what_is_missed_when_it_is_left_out_counts(text: str, shown: list[str] | None) -> None:
    found = token_maps.left_out(
        text, lambda texts: np.array([0.9 if "bad" in t else 0.2 for t in texts])
    )
    assert "".join(piece.shown for piece in found) == text
    weighty = [piece for piece in found if piece.weight]
    assert all("bad" in piece.shown or piece.shown in "bad" for piece in weighty)
    assert [piece.weight for piece in weighty] == pytest.approx([0.7] * len(weighty))
    assert len(weighty) == (3 if "很" in text else 1)
    assert len(found) < 2 * token_maps.MOST and shown in (None, [piece.shown for piece in found])
