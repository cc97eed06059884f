"""What a run says before a batch."""

from __future__ import annotations

import pytest

from conf.schema.run import StoppingCriteria
from conf.schema.study import Study
from flows.study.progress import batch_words
from tasks.suggest.types import Forecast, Proposal, Suggestion

BATCH = (Suggestion(8, {}, "model"), Suggestion(9, {}, "local"))
FORECAST = Forecast(gain=0.00123, regret=0.004, seconds=7200.0)


@pytest.mark.parametrize(
    ("proposal", "price", "said"),
    [
        (Proposal(BATCH, {}), None, ""),
        (Proposal((), {}, forecast=FORECAST), None, ""),
        (
            Proposal(BATCH, {}, forecast=FORECAST),
            None,
            "next 2 trials: expected to gain 0.0012 for 2 h 0 min of training; left to gain 0.0040",
        ),
        (
            Proposal(BATCH, {}, forecast=FORECAST),
            1.5,
            "next 2 trials: expected to gain 0.0012 for 2 h 0 min of training (3); "
            "left to gain 0.0040",
        ),
    ],
    ids=["no model", "no trial", "plain", "with its price"],
)
def test_a_batch_is_announced_with_gain_and_cost(
    proposal: Proposal, price: float | None, said: str
) -> None:
    study = Study(name="made", stop=StoppingCriteria(cost_per_gpu_hour=price))
    assert batch_words(study, proposal) == said
