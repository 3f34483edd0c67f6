"""The programs: everything at once, or each alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from ..settings import HANDOVER, Settings
from .common import DataOption, JsonOption, die, load_settings, parse_usd, print_json, show

if TYPE_CHECKING:
    from rich.progress import TaskID


class _Row(msgspec.Struct):
    model: str
    kind: str
    by: str
    licence: str
    state: str


engines = typer.Typer(help="The local engines.", no_args_is_help=True)
PacksOption = Annotated[
    str | None, typer.Option("--packs", help="Folder of the weights (DEEEPAI_PACKS)", show_default=False)
]
HostOption = Annotated[str, typer.Option(help="Address to listen on")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command(hidden=True)(gateway)
    app.command()(sandbox)
    app.add_typer(engines, name="engines")


def _say(line: str) -> None:
    print(line, flush=True)


def serve(
    data: DataOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one", show_default="8100")] = None,
    tls_cert: Annotated[str | None, typer.Option(help="Certificate with its chain", show_default="no TLS")] = None,
    tls_key: Annotated[str | None, typer.Option(help="Its key", show_default="in the certificate's file")] = None,
    workers: Annotated[int | None, typer.Option(help="Gateway processes", show_default="1")] = None,
    config: Annotated[str | None, typer.Option(help="Declarative file", show_default="DATA/deeepai.toml")] = None,
    no_engines: Annotated[bool, typer.Option("--no-engines", help="Without the local engines")] = False,
    no_sandbox: Annotated[bool, typer.Option("--no-sandbox", help="Without the sandbox")] = False,
    initial_credit: Annotated[
        str | None, typer.Option(help="USD granted at the first start", show_default="100")
    ] = None,
) -> None:
    """Start the gateway, the engines and the sandbox, and keep them running."""
    from ..accounts.vault import VaultError
    from ..supervisor import StartError
    from ..supervisor import serve as supervise

    settings = load_settings(
        data=data,
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        workers=workers,
        config=config,
        engines=False if no_engines else None,
        sandbox=False if no_sandbox else None,
        initial_credit=None if initial_credit is None else str(parse_usd(initial_credit)),
    )
    try:
        supervise(settings, _say)
    except (StartError, VaultError) as fault:
        raise die(str(fault)) from None


def gateway(data: DataOption = None) -> None:
    """Serve the gateway alone; `deeepai serve` starts it with its settings in the environment."""
    from ..server import serve as serve_gateway

    handed = os.environ.get(HANDOVER)
    serve_gateway(Settings.from_json(handed) if handed else load_settings(data=data))


def sandbox(
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one")] = 0,
    speed: Annotated[float, typer.Option(min=0.001, help="How many times faster than the vendors")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Makes ids the same in each run")] = None,
    key: Annotated[str | None, typer.Option(help="The only credential that is accepted")] = None,
    realtime: Annotated[
        Literal["ga", "beta", "both"], typer.Option(help="Which shape of OpenAI's Realtime events is spoken")
    ] = "ga",
    drafts: Annotated[bool, typer.Option("--drafts", help="The first file of a kind stands for all: for load")] = False,
) -> None:
    """Serve the stand-ins for the vendors."""
    from ..sandbox.server import run

    run(host, port, speed=speed, seed=seed, key=key, realtime=realtime, drafts=drafts)


@engines.command("serve")
def serve_engines(
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one")] = 0,
    packs: PacksOption = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of jobs and what they make; else they go at the end")
    ] = None,
) -> None:
    """Serve the local engines alone."""
    from ..engines import serve as serve_local

    serve_local(host, port, Path(packs) if packs else None, data=data)


@engines.command("install")
def install_pack(
    pack: Annotated[str, typer.Argument(help="Name, as `deeepai engines list` shows it")],
    packs: PacksOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing where it is installed")] = False,
) -> None:
    """Fetch the weights of an engine, verify them and put them into place."""
    from ..engines import PackError, install
    from ..engines.packs import find

    shown = False
    last = -1

    def progress(step: str, done: int, total: int) -> None:
        nonlocal shown, last
        percent = 100 * done // total if total else 0
        if sys.stdout.isatty():
            print(f"\r{pack}: {step} {done / 1e6:.0f} of {total / 1e6:.0f} MB \x1b[K", end="", flush=True)
            shown = True
        elif percent // 25 != last:
            last = percent // 25
            print(f"{pack}: {step} {done / 1e6:.0f} of {total / 1e6:.0f} MB", flush=True)

    folder = Path(packs) if packs else None
    try:
        if not quiet or folder is None or not find(pack).installed(folder):
            path = install(pack, folder, progress)
            if shown:
                print()
            if not quiet:
                print(f"{pack} lies in {path}")
    except PackError as fault:
        raise die(str(fault)) from None


@engines.command("add")
def add_model(
    name: Annotated[str, typer.Argument(help="What callers ask for")],
    kind: Annotated[str, typer.Option(help="chat, embeddings or transcription")],
    file: Annotated[Path | None, typer.Option(help="A file, archive or folder of this machine", exists=True)] = None,
    url: Annotated[str | None, typer.Option(help="An address; goes on where a cut download ended")] = None,
    sha256: Annotated[str | None, typer.Option(help="Of the file; needed with --url")] = None,
    context: Annotated[int, typer.Option(min=64, help="Most tokens of a request")] = 4096,
    packs: PacksOption = None,
) -> None:
    """Add a model of one's own: GGUF (chat, embeddings), ONNX (embeddings) or CTranslate2 (transcription)."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from ..engines import PackError
    from ..engines.models.catalogue import MODELS
    from ..engines.packs.custom_models import add

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, disable=not sys.stdout.isatty()) as bar:
            tasks: dict[str, TaskID] = {}

            def progress(step: str, done: int, total: int) -> None:
                if step not in tasks:
                    tasks[step] = bar.add_task(f"{name}: {step}")
                bar.update(tasks[step], completed=done, total=total or None)

            made = add(
                name,
                kind,
                file=file,
                url=url,
                sha256=sha256,
                context=context,
                taken=[model.id for model in MODELS],
                folder=Path(packs) if packs else None,
                progress=progress,
            )
    except PackError as fault:
        raise die(str(fault)) from None
    print(f"{name}: {made.form}, {made.bytes / 1e6:.0f} MB, for {made.kind}; served from the next start on")


@engines.command("remove")
def remove_pack(
    name: Annotated[str, typer.Argument(help="A pack, or a model that was added")], packs: PacksOption = None
) -> None:
    """Delete an engine's weights."""
    from ..engines.packs import PackError, custom_models, remove

    folder = Path(packs) if packs else None
    try:
        if not custom_models.remove(name, folder):
            remove(name, folder)
    except PackError as fault:
        raise die(str(fault)) from None


@engines.command("list")
def list_engines(packs: PacksOption = None, as_json: JsonOption = False) -> None:
    """List the local models, and what each needs."""
    from ..engines import PackError, catalogue, tools

    folder = Path(packs) if packs else None
    try:
        entries = [*catalogue(folder), *tools(folder)]
    except PackError as fault:
        raise die(str(fault)) from None
    if as_json:
        print_json(entries)
        return
    rows = [_Row(e.model.id, e.model.kind, e.model.owned_by, e.model.licence, e.missing or "ready") for e in entries]
    show(rows, ("model", "kind", "by", "licence", "state"), as_json=False)
