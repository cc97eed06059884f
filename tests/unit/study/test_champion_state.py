"""The last verdict on a champion, out of the journal's steps."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.study.champion_state import last_verdict

CROWN = {"digest": "d1", "verdict": "crown", "why": "better"}
REASONS = [
    {"rule": "size", "passed": True, "why": "1 megabyte"},
    {"rule": "minimum", "passed": False, "why": "accuracy 0.9 is below 0.95"},
]


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, ("", "")),
        ({"decided": CROWN}, ("crown", "better")),
        (
            {
                "decided": CROWN,
                "judged": {"digest": "d1", "verdict": "refused", "reasons": REASONS},
            },
            ("refused", "accuracy 0.9 is below 0.95"),
        ),
        (
            {
                "decided": CROWN,
                "judged": {"digest": "d0", "verdict": "refused", "reasons": REASONS},
            },
            ("crown", "better"),
        ),
        ({"decided": {"digest": "d1", "verdict": "keep", "why": "worse"}}, ("keep", "worse")),
    ],
    ids=["nothing", "crowned", "refused", "an older one refused", "kept"],
)
def test_the_last_verdict(facts: dict[str, Any], verdict: tuple[str, str]) -> None:
    assert last_verdict(facts) == verdict
