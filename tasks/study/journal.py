"""The journal, a study's source of truth: one event per line, on disk before it takes effect."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

from pydantic import ValidationError

from conf.runtime.atomic_write import sync_folder
from conf.runtime.closeable import Closing
from conf.runtime.errors import BadInput, DenseError
from tasks.study.events import Event, decode, encode


def read(path: Path) -> tuple[tuple[Event, ...], int]:
    """The events of a journal that another process may be writing, and the bytes of a torn tail.

    Changes nothing. A missing journal has no events.

    Raises:
        BadInput: a line other than a torn last one is not an event.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return (), 0
    *lines, tail = content.split(b"\n")
    events = []
    for index, line in enumerate(lines):
        try:
            events.append(decode(line))
        except ValueError as error:
            if index == len(lines) - 1 and not tail and not _is_json(line):
                return tuple(events), len(line) + 1
            raise BadInput(
                f"{path}, line {index + 1}: not an event of a study ({_first_fault(error)}); "
                "restore the line from a copy, or start the study under another name"
            ) from error
    return tuple(events), len(tail)


def _is_json(line: bytes) -> bool:
    # A power cut can leave the end of a line on disk without its beginning; a whole object that
    # is no event was written by something else and must not be thrown away.
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _first_fault(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    fault = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]


class Journal(Closing):
    """The open journal. Only the holder of the study's lock opens and appends."""

    def __init__(self, path: Path, descriptor: int, length: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._length = length
        self._ragged = False

    @classmethod
    def open(cls, path: Path) -> tuple[Journal, tuple[Event, ...], int]:
        """Open or create a journal and cut a torn last line.

        Returns:
            The journal, its events, and the bytes that were cut.

        Raises:
            BadInput: a line other than a torn last one is not an event; nothing was changed.
        """
        events, torn = read(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        length = os.fstat(descriptor).st_size - torn
        journal = cls(path, descriptor, length)
        if torn:
            journal._cut()
        sync_folder(path.parent)
        return journal, events, torn

    def append(self, *events: Event) -> None:
        """Write events and return when they are on disk; after an error the file is as before.

        Raises:
            DenseError: the disk is full or fails; nothing was recorded.
        """
        line = b"".join(encode(event) for event in events)
        try:
            if self._ragged:
                self._cut()
            self._write(line)
            os.fsync(self._descriptor)
        except OSError as error:
            self._take_back()
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            remedy = "free some space" if full else "check the disk"
            raise DenseError(
                f"{self.path} cannot be written ({error.strerror}); {remedy} and run again"
            ) from error
        self._length += len(line)

    def _write(self, line: bytes) -> None:
        done = 0
        while done < len(line):
            done += os.pwrite(self._descriptor, line[done:], self._length + done)

    def _take_back(self) -> None:
        # What was half written must not stand before the next line. Where even the cut fails, it
        # is tried again before the next append, and a reader sees a torn tail meanwhile.
        try:
            self._cut()
        except OSError:
            self._ragged = True

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self._length)
        os.fsync(self._descriptor)
        self._ragged = False

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
