"""`dense clean`: remove prepared data and assets that no study uses."""

from __future__ import annotations

from conf.runtime.home import Home


def clean(*, days: float, dry_run: bool) -> None:
    """Remove what is unused and print it, or only print it.

    Raises:
        BadInput: a file that says what is used is damaged; nothing is removed.
    """
    from tasks.prepare.store.gc import collect, unused

    home = Home.open()
    found = (unused if dry_run else collect)(home, days=days)
    for one in found:
        print(f"{one.kind:<8}  {shown_bytes(one.size):>8}  {one.name}")
    if not found:
        print(f"nothing in {home.path} is unused for {days:g} days or more")
        return
    done = "would be freed; without --dry-run it is" if dry_run else "freed"
    print(f"{shown_bytes(sum(one.size for one in found))} {done}")


def shown_bytes(count: int) -> str:
    """A size as people read it."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1_000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} TB"
