"""`dense export` and `dense import`: a study as one file."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from conf.runtime.errors import BadInput
from conf.runtime.home import Home


def export_study(name: str, out: Path | None, *, data: bool, weights: bool) -> None:
    """Write a study's archive, beside where the user works unless `out` says otherwise."""
    from tasks.archive.pack import export
    from tasks.study.lock import Holder

    home = Home.open()
    out = out or Path(f"{name}.tar.gz")
    holder = Holder(os.getpid(), socket.gethostname(), time.time())
    manifest = export(home, name, out, holder, data=data, weights=weights)
    print(
        f"{name}: {len(manifest.files):,} files, {out.stat().st_size / 1e6:.1f} MB in {out}; "
        f"`dense import {out.name}` restores it in another home"
    )


def import_study(archive: Path) -> None:
    """Restore a study from its archive."""
    from tasks.archive.unpack import restore_archive
    from tasks.prepare.store.store import open_prepared

    if not archive.is_file():
        raise BadInput(f"there is no file {archive}")
    home = Home.open()
    manifest = restore_archive(home, archive)
    name = manifest.study
    print(f"{name}: {len(manifest.files):,} files restored in {home.path}")
    if manifest.data and open_prepared(home, manifest.data) is None:
        print(
            f"its data ({manifest.data[:8]}) is not here: `dense run {name}` prepares it again "
            "where its source is; `dense export --data` packs it too"
        )
    print(f"`dense show {name}` looks at it; `dense sync {name}` writes it into MLflow")
