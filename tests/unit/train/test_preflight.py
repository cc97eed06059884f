"""What is refused before the first trial."""

from __future__ import annotations

import pytest

from conf.runtime.errors import BadInput
from conf.schema.evaluate import Evaluate
from tasks.train.preflight import check_metrics
from tests.cards import as_card


def test_a_search_by_what_is_of_two_classes_has_two() -> None:
    section = Evaluate(objective="f1", metrics=("f1", "accuracy"))
    check_metrics(section, as_card({"classes": ["ham", "spam"]}))
    with pytest.raises(BadInput, match="f1 is of the second of two classes, and there are 3"):
        check_metrics(section, as_card({"classes": ["a", "b", "c"]}))
    shown = Evaluate(metrics=("f1", "accuracy"))
    check_metrics(shown, as_card({"classes": ["a", "b", "c"]}))
