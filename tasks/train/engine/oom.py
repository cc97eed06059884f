"""Whether memory ran short: what tells a process killed for memory from one killed for another
reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NEAR = 0.95
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Memory:
    """Memory of the machine or container that a process runs in."""

    kills: int
    """Processes that the kernel has killed for memory so far."""
    used: float
    """Share of the limit in use, from 0 to 1."""


def cgroup_folders(pid: int | str = "self") -> list[Path]:
    """Folders of the control groups that limit a process's memory, where they can be seen."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            folders += [CGROUPS / "memory" / path.lstrip("/"), CGROUPS / "memory"]
        elif not controllers:
            folders += [CGROUPS / path.lstrip("/"), CGROUPS]
    return [folder for folder in folders if folder.is_dir()]


def look(folders: list[Path]) -> Memory:
    """Memory as seen from these control groups and from the machine."""
    kills = _counter(Path("/proc/vmstat"), "oom_kill")
    used = _machine_used()
    for folder in folders:
        kills += _counter(folder / "memory.events", "oom_kill")
        kills += _counter(folder / "memory.oom_control", "oom_kill")
        for current, limit in (
            ("memory.current", "memory.max"),
            ("memory.usage_in_bytes", "memory.limit_in_bytes"),
        ):
            used = max(used, _share(folder / current, folder / limit))
    return Memory(kills, used)


def was_short(before: Memory, since: list[Memory]) -> bool:
    """Whether the kernel killed for memory since `before`, or memory was seen near its limit."""
    return any(each.kills > before.kills or each.used >= NEAR for each in since)


def _machine_used() -> float:
    path = Path("/proc/meminfo")
    total, available = _counter(path, "MemTotal:"), _counter(path, "MemAvailable:")
    return 1.0 - available / total if total else 0.0


def _counter(path: Path, name: str) -> int:
    """The number after a name in a file of such lines; 0 where there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        words = line.split()
        if words[:1] == [name]:
            return int(words[1])
    return 0


def _share(current: Path, limit: Path) -> float:
    try:
        return int(current.read_text()) / int(limit.read_text())
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
        return 0.0
