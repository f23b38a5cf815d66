"""Reading and writing files so that a bad one gets a clear message and a failed write leaves the old one whole."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kerp.base.errors import Fault, KerpError


def read_bytes(path: Path | str) -> bytes:
    """The whole file; a missing file, a directory or an unreadable one is a `KerpError` that names it."""
    path = Path(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise KerpError(Fault("there is no such file", where=str(path))) from None
    except IsADirectoryError:
        raise KerpError(Fault("this is a directory; a file is expected", where=str(path))) from None
    except OSError as error:
        raise KerpError(Fault(f"the file cannot be read: {error.strerror}", where=str(path))) from None


def read_text(path: Path | str, *, may_be_empty: bool = False) -> str:
    """The whole file as UTF-8 text (a byte-order mark is dropped); names the first byte that is not UTF-8."""
    raw = read_bytes(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        message = f"the file is not UTF-8 text (byte {error.start})"
        raise KerpError(Fault(message, where=str(path), line=line, allowed="UTF-8")) from None
    if not may_be_empty and not text.strip():
        raise KerpError(Fault("the file is empty", where=str(path)))
    return text


def write_atomic(path: Path | str, content: str | bytes) -> None:
    """Write beside the target, flush to disk, then rename: the old file stays whole until the new one is."""
    write_all({path: content})


def write_all(contents: Mapping[Path | str, str | bytes]) -> None:
    """The same for files that belong together: none is renamed before every one of them is on the disk."""
    waiting: dict[Path, str] = {}
    path = Path()
    try:
        for name, content in contents.items():
            path = Path(name)
            _refuse_what_is_no_file(path)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, waiting[path] = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            _fill(handle, content.encode() if isinstance(content, str) else content)
            os.chmod(waiting[path], 0o644 & ~_umask())  # noqa: PTH101  mkstemp makes it private
        for path in tuple(waiting):
            os.replace(waiting[path], path)  # noqa: PTH105
            del waiting[path]
    except OSError as error:
        message = f"the file cannot be written: {error.strerror}; what was there before is unchanged"
        raise KerpError(Fault(message, where=str(path))) from None
    finally:
        for temporary in waiting.values():
            Path(temporary).unlink(missing_ok=True)


def _fill(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _refuse_what_is_no_file(path: Path) -> None:
    """Renaming over a device or a pipe (/dev/null, /dev/stdout) would replace it by a file."""
    try:
        special = path.exists() and not path.is_file() and not path.is_dir()
    except OSError:  # a path that cannot even be looked at fails below, with its reason
        return
    if special:
        ways = ("write to a file, then copy it where it should go",)
        raise KerpError(Fault("this is a device or a pipe, not a file", where=str(path), ways_out=ways))


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
