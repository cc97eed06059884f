"""`dense compare A B`: two studies, trials or champions, on the terminal and as a page."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conf.runtime.errors import BadInput
from conf.runtime.home import Home

OUT = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)


def show_comparison(first: str, second: str) -> None:
    """Print the comparison and write its page.

    Raises:
        BadInput: a side is not there, has no result, or the two cannot be compared.
    """
    from tasks.compare import page as versus_page
    from tasks.compare.comparison import compare
    from tasks.compare.side import read_side

    if first == second:
        raise BadInput(f"{first!r} is compared with itself; give two different sides")
    home = Home.open()
    found = compare(read_side(home, first), read_side(home, second))
    OUT.print(Text(found.headline, style="bold"))
    OUT.print(Text(f"A is the {found.a.words}; B is the {found.b.words}; {found.a.part} part"))
    OUT.print()
    rows = [(*versus_page.score_row(score), score.better) for score in found.scores]
    OUT.print(_table((*versus_page.SCORE_HEADS, "better"), rows))
    OUT.print(Text(versus_page.pairing(found), style="dim"))
    for title, settings in versus_page.tables(found):
        OUT.print()
        OUT.print(Text(title if settings else f"{title}: none", style="bold"))
        if settings:
            OUT.print(_table(("", "A", "B"), settings))
    OUT.print()
    OUT.print(f"[dim]page[/dim] {versus_page.write_comparison(found)}")


def _table(
    heads: tuple[str, ...], rows: list[tuple[str, ...]] | list[tuple[str, str, str]]
) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in heads:
        table.add_column(Text(head))
    for row in rows:
        table.add_row(*map(Text, row))
    return table
