"""Weights that the operator adds: any GGUF, CTranslate2 or ONNX model, from a file or an address.

They lie in `added/NAME/` of the packs folder, and `added/models.json` says what each is. Nothing is fetched but on the
operator's command, and what comes over the network is taken only with the SHA-256 that the operator states. Families
of engines ask `added` for the models of their kind when the program starts.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import stat
import tarfile
import time
import zipfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from .archives import extract
from .fetch import FetchError, Progress, copy, digest_of, fetch
from .gguf import GgufError, read_header
from .installer import PackError, default_folder

Form = Literal["gguf", "ctranslate2", "onnx"]

KINDS: Final[Mapping[str, tuple[Form, ...]]] = {
    "chat": ("gguf",),
    "embeddings": ("gguf", "onnx"),
    "transcription": ("ctranslate2",),
}
"""What can be added, and in which forms the engines take it."""
DEFAULT_CONTEXT: Final = 4096
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """A model that the operator added.

    Attributes
    ----------
    file : str
        Its weights, below the packs folder; for a model of several files, the largest.
    sha256 : str
        Of the file or archive that was added; empty for a folder.
    bytes : int
        Size of `file`.
    source : str
        The file's name or the address, without what may be secret in it.
    about : dict
        What the file says of itself.
    """

    name: str
    kind: str
    form: Form
    file: str
    sha256: str
    bytes: int
    source: str
    context: int
    created: int
    about: dict[str, Any] = {}

    def path(self, folder: Path) -> Path:
        """Return the weights' file."""
        return folder / self.file

    def here(self, folder: Path) -> bool:
        """Tell whether the weights are there, whole."""
        path = self.path(folder)
        return path.is_file() and path.stat().st_size == self.bytes


def _table(folder: Path) -> Path:
    return folder / "added" / "models.json"


def added(folder: Path | None = None, kind: str | None = None) -> list[Added]:
    """Return the models that were added, by name.

    Raises
    ------
    PackError
        The table cannot be read.
    """
    path = _table(folder or default_folder())
    try:
        found = msgspec.json.decode(path.read_bytes(), type=list[Added])
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as error:
        raise PackError(f"{path} cannot be read: {error}") from None
    return [model for model in sorted(found, key=lambda model: model.name) if kind is None or model.kind == kind]


def add(
    name: str,
    kind: str,
    *,
    file: Path | None = None,
    url: str | None = None,
    sha256: str | None = None,
    context: int = DEFAULT_CONTEXT,
    taken: Sequence[str] = (),
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Added:
    """Add a model.

    Parameters
    ----------
    file, url
        One of the two: a file, an archive or a folder of this machine, or an address.
    sha256 : str, optional
        Needed with an address.
    context : int
        Tokens that one request may hold, at most.
    taken : sequence of str
        Names that are other models'.

    Raises
    ------
    PackError
        Nothing is added; of a download that was cut, what has come stays for the next try.
    """
    folder, said = folder or default_folder(), progress or (lambda step, done, total: None)
    if not _NAME.fullmatch(name):
        raise PackError("a name has letters, digits and ._:- and begins with a letter or digit")
    if kind not in KINDS:
        raise PackError(f"there is no kind {kind!r}; there are: {', '.join(KINDS)}")
    if (file is None) == (url is None):
        raise PackError("say one of a file and an address")
    wanted = (sha256 or "").lower().removeprefix("sha256:")
    if (wanted or url is not None) and not _SHA256.fullmatch(wanted):
        raise PackError("a download needs its SHA-256: 64 hexadecimal digits, from whoever published the file")
    if name in taken:
        raise PackError(f"{name} is the name of another model")
    (folder / "added").mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        if any(model.name == name for model in added(folder)):
            raise PackError(f"{name} is there already; take it away first: deeepai engines remove {name}")
        scratch, target = folder / "added" / f".{name}", folder / "added" / name
        # Of an earlier try only a cut download is of use.
        shutil.rmtree(scratch / "model", ignore_errors=True)
        (scratch / "model").mkdir(parents=True)
        shown = _shown(url) if url is not None else Path(file or "").name
        try:
            digest = _bring(file, url, wanted, scratch, said)
            made = _examine(name, kind, scratch / "model", digest, shown, context)
        except PackError:
            shutil.rmtree(scratch / "model")
            raise
        except (FetchError, GgufError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            shutil.rmtree(scratch / "model")
            raise PackError(f"{name}: {error}") from None
        shutil.rmtree(target, ignore_errors=True)
        (scratch / "model").rename(target)
        _write(folder, [*added(folder), made])
        shutil.rmtree(scratch)
    return made


def remove(name: str, folder: Path | None = None) -> bool:
    """Delete a model that was added; tell whether there was one."""
    folder = folder or default_folder()
    if not (folder / "added").is_dir():
        return False
    with _lock(folder):
        models = added(folder)
        kept = [model for model in models if model.name != name]
        if len(kept) == len(models):
            return False
        _write(folder, kept)
        shutil.rmtree(folder / "added" / name, ignore_errors=True)
    return True


@contextmanager
def _lock(folder: Path) -> Generator[None]:
    with (folder / "added" / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(folder: Path, models: Sequence[Added]) -> None:
    draft = _table(folder).with_suffix(".draft")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(models)) + b"\n")
    draft.replace(_table(folder))


def _shown(url: str) -> str:
    """Return an address without a password or a signature."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _bring(file: Path | None, url: str | None, wanted: str, scratch: Path, progress: Progress) -> str:
    """Put the model's files into `scratch/model`; return the SHA-256 of what was added, empty for a folder."""
    model = scratch / "model"
    if file is not None and file.is_dir():
        if wanted:
            raise PackError("a folder has no SHA-256: add it without, or as an archive")
        shutil.copytree(file, model, dirs_exist_ok=True, symlinks=False)
        return ""
    if url is not None:
        brought = scratch / "download"
        name = Path(urlsplit(url).path).name or "model"
        fetch(url, brought, progress)
    else:
        assert file is not None
        brought, name = scratch / "copy", file.name
        with brought.open("wb") as out:
            copy(file, out, progress)
    digest = digest_of(brought, progress)
    if wanted and digest != wanted:
        brought.unlink()
        raise PackError(f"the file is not the one that you named: it has the SHA-256 {digest}")
    if zipfile.is_zipfile(brought):
        _unzip(brought, model)
        brought.unlink()
    elif tarfile.is_tarfile(brought):
        with tarfile.open(brought) as archive:
            extract(archive, model)
        brought.unlink()
    else:
        brought.rename(model / re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip("."))
    return digest


def _unzip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if any(stat.S_ISLNK(entry.external_attr >> 16) for entry in archive.infolist()):
            raise PackError("the archive holds links")
        # The library itself keeps names inside the folder.
        archive.extractall(folder)


def _examine(name: str, kind: str, folder: Path, digest: str, source: str, context: int) -> Added:
    """Find out what the files are."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    form, main = _form_of(files)
    if form not in KINDS[kind]:
        raise PackError(f"for {kind} the engines take {' or '.join(KINDS[kind])}, and this is {form}")
    about: dict[str, Any] = {}
    if form == "onnx" and not any(path.name == "tokenizer.json" for path in files):
        raise PackError("an ONNX model of texts needs its tokenizer.json: add the folder, or an archive of it")
    if form == "gguf":
        header = read_header(main)
        architecture = header.get("general.architecture")
        about = {
            "title": header.get("general.name"),
            "architecture": architecture,
            "license": header.get("general.license"),
        }
        trained = header.get(f"{architecture}.context_length")
        context = min(context, trained) if isinstance(trained, int) and trained > 0 else context
        if kind == "chat" and "tokenizer.chat_template" not in header:
            raise PackError("the file has no chat template: it is a base model, which does not converse")
    return Added(
        name=name,
        kind=kind,
        form=form,
        file=f"added/{name}/{main.relative_to(folder)}",
        sha256=digest,
        bytes=main.stat().st_size,
        source=source,
        context=context,
        created=int(time.time()),
        about={key: value for key, value in about.items() if isinstance(value, str)},
    )


def _form_of(files: Sequence[Path]) -> tuple[Form, Path]:
    for path in files:
        with path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return "gguf", path
    for path in files:
        if path.name == "model.bin":
            if missing := {"config.json", "tokenizer.json"} - {other.name for other in path.parent.iterdir()}:
                raise PackError(f"a CTranslate2 model needs {' and '.join(sorted(missing))} beside model.bin")
            return "ctranslate2", path
    for path in files:
        if path.suffix == ".onnx":
            return "onnx", path
    raise PackError("this is neither a GGUF file nor a CTranslate2 folder (model.bin, config.json …) nor an ONNX model")
