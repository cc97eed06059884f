"""Telling people how a study ended, through a Prefect block that they have configured.

The Prefect variable `dense_notify` names the block, such as `slack-webhook/lab`; empty, nobody is
told. https://docs.prefect.io/integrations has the kinds: Slack, Teams, e-mail, any webhook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flows.servers.programs import NOTIFY_VARIABLE

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun, State

QUIET = ("Skipped",)
"""States that are no news."""


def tell(flow: Flow[Any, Any], flow_run: FlowRun, state: State) -> None:
    """A hook of a flow's last state; what goes wrong with it is a line in the run's log."""
    if state.name in QUIET:
        return
    from prefect.logging.loggers import flow_run_logger

    try:
        if (block := configured()) is not None:
            block.notify(body(flow_run, state), subject(flow_run, state), _sync=True)
    except Exception as error:  # whatever a block or the way to it raises: the study has ended
        flow_run_logger(flow_run, flow).warning(
            "Nobody could be told of it (%s: %s); see the variable %s",
            type(error).__name__,
            error,
            NOTIFY_VARIABLE,
        )


def configured() -> Any:
    """The block that the variable names; None where it names none.

    Raises:
        ValueError: there is no such block.
    """
    import prefect.blocks.notifications  # noqa: F401  the kinds that `load` can make
    from prefect.blocks.core import Block
    from prefect.variables import Variable

    # In a worker's own loop, where hooks of crashed runs are called, too.
    variable, kinds = cast(Any, Variable), cast(Any, Block)
    name = variable.get(NOTIFY_VARIABLE, default="", _sync=True)
    return kinds.load(str(name), _sync=True) if name else None


def subject(flow_run: FlowRun, state: State) -> str:
    """One line: what ended, and as what."""
    return f"{flow_run.name}: {state.name}"


def body(flow_run: FlowRun, state: State) -> str:
    """What it came to, and where to look."""
    from prefect.utilities.urls import url_for

    link = url_for("flow-run", obj_id=flow_run.id)
    return f"{state.message or 'no message'}" + (f"\n{link}" if link else "")
