"""Weights of the operator's: brought from a server that hangs up midway, verified, served."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from deeepai.engines import PackError
from deeepai.engines.models.catalogue import MODELS, catalogue
from deeepai.engines.packs import SMOLLM2
from deeepai.engines.packs.custom_models import add, added, remove

from .conftest import program


class Files(ThreadingHTTPServer):
    """Serves `content`, and hangs up after `cut` bytes as often as `cuts` says."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.cut, self.cuts, self.ranges = content, 0, 0, True
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/files/weights.gguf?signature=secret"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Files)
        wanted = self.headers.get("range")
        server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        content = server.content
        if start >= len(content):
            self.send_response(416)
            self.send_header("content-range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("content-range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("content-length", str(len(content) - start))
        self.end_headers()
        if server.cuts:
            server.cuts -= 1
            self.wfile.write(content[start : start + server.cut])
        else:
            self.wfile.write(content[start:])
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def weights(packs: Path) -> bytes:
    return SMOLLM2.path(packs).read_bytes()


@contextmanager
def serving(content: bytes) -> Iterator[Files]:
    server = Files(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def files(weights: bytes) -> Iterator[Files]:
    """A server of the first megabytes only, which hold the header."""
    with serving(weights[:4_000_000]) as server:
        yield server


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_download_that_is_cut_goes_on_where_it_was(files: Files, tmp_path: Path):
    files.cut, files.cuts = 1_500_000, 2
    steps: list[tuple[str, int, int]] = []
    made = add(
        "own-chat",
        "chat",
        url=files.url,
        sha256=sha(files.content),
        folder=tmp_path,
        progress=lambda *step: steps.append(step),
    )
    assert files.asked == [None, "bytes=1500000-", "bytes=3000000-"]
    assert made.path(tmp_path).read_bytes() == files.content
    assert ("downloading", len(files.content), len(files.content)) in steps
    assert (made.form, made.about["architecture"], made.context) == ("gguf", "llama", 4096)
    assert "secret" not in (tmp_path / "added" / "models.json").read_text()
    assert sorted(path.name for path in (tmp_path / "added").iterdir()) == [".lock", "models.json", "own-chat"]


def test_a_second_command_goes_on_where_the_first_was_killed(files: Files, tmp_path: Path):
    half = len(files.content) // 2
    partial = tmp_path / "added" / ".own" / "download"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(files.content[:half])
    add("own", "chat", url=files.url, sha256=sha(files.content), folder=tmp_path)
    assert files.asked == [f"bytes={half}-"]
    assert added(tmp_path)[0].here(tmp_path)


def test_a_server_without_ranges_begins_anew(files: Files, tmp_path: Path):
    files.ranges = False
    files.cut, files.cuts = 1_000_000, 1
    add("own", "chat", url=files.url, sha256=sha(files.content), folder=tmp_path)
    assert files.asked == [None, "bytes=1000000-"]


def test_another_file_than_the_one_named_is_refused(files: Files, tmp_path: Path):
    with pytest.raises(PackError, match="SHA-256"):
        add("own", "chat", url=files.url, sha256="0" * 64, folder=tmp_path)
    assert added(tmp_path) == []
    assert not (tmp_path / "added" / "own").exists()
    # What was wrong is not gone on with.
    add("own", "chat", url=files.url, sha256=sha(files.content), folder=tmp_path)
    assert files.asked == [None, None]


@pytest.mark.parametrize(
    ("name", "kind", "fields", "said"),
    [
        ("own", "chat", {"url": "http://127.0.0.1:9/x"}, "SHA-256"),
        ("own", "chat", {"url": "ftp://127.0.0.1/x", "sha256": "0" * 64}, "http"),
        ("own", "chat", {}, "one of"),
        ("own", "painting", {"file": "plain.txt"}, "no kind"),
        ("../own", "chat", {"file": "plain.txt"}, "name"),
        ("smollm2-135m-instruct", "chat", {"file": "plain.txt"}, "another model"),
        ("own", "chat", {"file": "plain.txt"}, "neither a GGUF"),
        ("own", "chat", {"file": "cut.gguf"}, "damaged"),
        ("own", "transcription", {"file": "half"}, "config.json"),
        ("own", "embeddings", {"file": "alone.onnx"}, "tokenizer.json"),
        ("own", "chat", {"file": "alone.onnx"}, "onnx"),
    ],
)
def test_refusals(tmp_path: Path, name: str, kind: str, fields: dict[str, Any], said: str):
    source = tmp_path / "source"
    (source / "half").mkdir(parents=True)
    (source / "half" / "model.bin").write_bytes(b"x")
    (source / "plain.txt").write_text("hello")
    (source / "cut.gguf").write_bytes(b"GGUF\x03\0\0\0")
    (source / "alone.onnx").write_bytes(b"x")
    if "file" in fields:
        fields = {"file": source / fields["file"]}
    with pytest.raises(PackError, match=said):
        add(name, kind, folder=tmp_path, taken=[model.id for model in MODELS], **fields)
    assert added(tmp_path) == []


CT2 = {"model.bin": b"weights", "config.json": b"{}", "tokenizer.json": b"{}", "vocabulary.txt": b"a\n"}


@pytest.mark.parametrize("way", ["folder", "zip", "tar.gz"])
def test_a_ctranslate2_model_comes_as_folder_or_archive(tmp_path: Path, way: str):
    source = tmp_path / ("whisper" if way == "folder" else f"whisper.{way}")
    if way == "folder":
        source.mkdir()
        for name, content in CT2.items():
            (source / name).write_bytes(content)
    elif way == "zip":
        with zipfile.ZipFile(source, "w") as archive:
            for name, content in CT2.items():
                archive.writestr(f"whisper/{name}", content)
    else:
        with tarfile.open(source, "w:gz") as archive:
            for name, content in CT2.items():
                entry = tarfile.TarInfo(f"whisper/{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    made = add("own-whisper", "transcription", file=source, folder=tmp_path / "packs")
    folder = made.path(tmp_path / "packs").parent
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CT2
    assert made.sha256 == ("" if way == "folder" else sha(source.read_bytes()))
    assert added(tmp_path / "packs", "transcription") == [made]
    assert added(tmp_path / "packs", "chat") == []


@pytest.mark.parametrize("old", [False, True], ids=["any Python", "as before 3.11.4"])
@pytest.mark.parametrize("link", [False, True])
def test_an_archive_leads_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: bool, old: bool):
    if old:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    source = tmp_path / "evil.tar"
    with tarfile.open(source, "w") as archive:
        entry = tarfile.TarInfo("evil" if link else "../../evil")
        if link:
            entry.type, entry.linkname = tarfile.SYMTYPE, "../../evil"
        archive.addfile(entry, io.BytesIO())
    with pytest.raises(PackError):
        add("own", "chat", file=source, folder=tmp_path / "packs")
    assert not (tmp_path / "evil").exists()


def tiny_onnx(folder: Path) -> None:
    """A model whose tokens' vectors are rows of a table, with a tokenizer of four words."""
    import numpy
    from onnx import TensorProto, helper, numpy_helper, save
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder.mkdir()
    words = {"[UNK]": 0, "cat": 1, "dog": 2, "car": 3}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    table = numpy.array([[0, 0, 1], [1, 0, 0], [0.9, 0.1, 0], [0, 1, 0]], dtype="float32")
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "tiny",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", 3])],
        [numpy_helper.from_array(table, "table")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save(made, str(folder / "model.onnx"))


def command(packs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "deeepai", "engines", *words, "--packs", str(packs)]
    return subprocess.run(line, capture_output=True, text=True)


def test_added_models_are_listed_and_answer(weights: bytes, packs: Path, tmp_path: Path):
    own = tmp_path / "packs"
    tiny_onnx(tmp_path / "tiny")
    gguf = str(SMOLLM2.path(packs))
    with serving(weights) as files:
        files.cut, files.cuts = 50_000_000, 1
        done = command(own, "add", "own-chat", "--kind", "chat", "--url", files.url, "--sha256", SMOLLM2.sha256)
    assert done.returncode == 0, done.stderr
    for words in (
        ("own-vectors", "--kind", "embeddings", "--file", gguf, "--context", "256"),
        ("own-onnx", "--kind", "embeddings", "--file", str(tmp_path / "tiny"), "--context", "64"),
    ):
        assert command(own, "add", *words).returncode == 0
    again = command(own, "add", "own-chat", "--kind", "chat", "--file", gguf)
    assert again.returncode == 1
    assert "there already" in again.stderr
    listed = {entry["model"]["id"]: entry for entry in json.loads(command(own, "list", "--json").stdout)}
    assert listed["own-chat"]["installed"]
    assert listed["own-chat"]["model"]["licence"] == "apache-2.0"
    assert "own-onnx" in command(own, "list").stdout

    with program(own) as url, OpenAI(base_url=f"{url}/v1", api_key="-", max_retries=0, timeout=None) as client:
        cards = {model.id: model.model_dump() for model in client.models.list()}
        assert {"own-chat", "own-vectors", "own-onnx"} <= set(cards)
        assert cards["own-chat"]["owned_by"] == "operator"
        assert SMOLLM2.sha256 in cards["own-chat"]["provenance"]
        said = client.chat.completions.create(
            model="own-chat", messages=[{"role": "user", "content": "What is the capital of France?"}]
        )
        assert "Paris" in (said.choices[0].message.content or "")
        assert (said.system_fingerprint or "").endswith(SMOLLM2.sha256[:10])
        vectors = client.embeddings.create(model="own-vectors", input=["a cat", "a cat", "the stock market"])
        one, two, three = (item.embedding for item in vectors.data)
        assert one == pytest.approx(two, abs=1e-3)
        assert sum(a * b for a, b in zip(one, three, strict=True)) < 0.999
        assert vectors.usage.prompt_tokens > 6
        cat, dog, both = (
            item.embedding
            for item in client.embeddings.create(
                model="own-onnx", input=["cat", "dog", "cat car"], encoding_format="float"
            ).data
        )
        assert cat == pytest.approx([1, 0, 0])
        assert dog == pytest.approx([0.9939, 0.1104, 0], abs=1e-3)
        assert both == pytest.approx([0.7071, 0.7071, 0], abs=1e-3)
        for model in ("own-vectors", "own-onnx"):
            with pytest.raises(BadRequestError, match="maximum context"):
                client.embeddings.create(model=model, input="cat " * 400)

    assert command(own, "remove", "own-chat").returncode == 0
    assert not (own / "added" / "own-chat").exists()
    assert {entry.model.id for entry in catalogue(own)} >= {"own-vectors"}
    assert "own-chat" not in {entry.model.id for entry in catalogue(own)}
    assert remove("own-chat", own) is False
