"""The plugin that says which operations the tests proved, in real pytest runs against a small counting server."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


class Handler(BaseHTTPRequestHandler):
    """Counts `/OPERATION/STATUS`, and tells its counts as the gateway does."""

    counts: Counter[tuple[str, str]]

    def do_GET(self) -> None:
        if self.path == "/metrics":
            lines = [
                f'deeepai_requests_total{{operation="{name}",status="{status}"}} {count}.0\n'
                for (name, status), count in self.counts.items()
            ]
            body = "".join(lines).encode()
        else:
            _, name, status = self.path.split("/")
            self.counts[name, status] += 1
            body = b""
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    handler = type("Counting", (Handler,), {"counts": Counter()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.fixture
def project(pytester: pytest.Pytester, server: str, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("DEEEPAI_TEST_RESULTS", raising=False)
    pytester.makeini("[pytest]\ntestpaths = tests\n")
    pytester.mkdir("tests")
    (pytester.path / "tests" / "conftest.py").write_text(
        "import urllib.request\n"
        "import pytest\n"
        "from tests.plugins import coverage_results\n"
        'pytest_plugins = ["tests.plugins.coverage_results"]\n'
        "coverage_results.WAIT = 0.2\n"
        "@pytest.fixture(scope='session')\n"
        "def gateway():\n"
        f"    coverage_results.watch({server!r})\n"
        f"    return lambda path: urllib.request.urlopen({server!r} + path).read()\n"
    )
    return pytester


def write_tests(project: pytest.Pytester, name: str, *bodies: str) -> None:
    lines = ["import pytest"]
    for number, body in enumerate(bodies):
        lines += ["@pytest.mark.operation('flux.generate')", f"def test_{number}(gateway):", f"    {body}"]
    (project.path / "tests" / f"test_{name}.py").write_text("\n".join(lines) + "\n")


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    # A process of its own: the plugin's watch is one a process, and this process has one already.
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def results(project: pytest.Pytester) -> dict[str, dict[str, int]]:
    return json.loads((project.path / "tests" / "results" / "operations.json").read_text())


def test_mark_counts_where_the_gateway_answered(project: pytest.Pytester) -> None:
    write_tests(project, "good", "gateway('/flux.generate/200')", "gateway('/flux.generate/201')")
    run(project).assert_outcomes(passed=2)
    assert results(project) == {"flux.generate": {"passed": 2, "failed": 0}}


@pytest.mark.parametrize("path", ["/flux.generate/503", "/flux.generate/404", "/flux.get_result/200"])
def test_mark_fails_where_it_did_not(project: pytest.Pytester, path: str) -> None:
    write_tests(project, "bad", f"gateway({path!r})")
    done = run(project)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*marked as proof of flux.generate, but no gateway answered that with success*"])
    assert results(project) == {"flux.generate": {"passed": 0, "failed": 1}}


def test_an_earlier_tests_answer_does_not_count(project: pytest.Pytester) -> None:
    write_tests(project, "order", "gateway('/flux.generate/200')", "pass")
    run(project).assert_outcomes(passed=1, failed=1)
    assert results(project) == {"flux.generate": {"passed": 1, "failed": 1}}


def test_a_failing_test_proves_nothing(project: pytest.Pytester) -> None:
    write_tests(project, "wrong", "gateway('/flux.generate/200'); assert False")
    run(project).assert_outcomes(failed=1)
    assert results(project) == {"flux.generate": {"passed": 0, "failed": 1}}


def test_a_skipped_test_says_nothing(project: pytest.Pytester) -> None:
    write_tests(project, "skipped", "pytest.skip('no')")
    run(project).assert_outcomes(skipped=1)
    assert results(project) == {}


def test_a_mark_without_a_watched_gateway_fails(project: pytest.Pytester) -> None:
    (project.path / "tests" / "test_alone.py").write_text(
        "import pytest\n@pytest.mark.operation('flux.generate')\ndef test_alone():\n    pass\n"
    )
    done = run(project)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*no gateway is watched*"])


def test_part_of_a_run_changes_only_what_it_ran(project: pytest.Pytester) -> None:
    path = project.path / "tests" / "results" / "operations.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"openai.embeddings": {"passed": 9, "failed": 0}, "flux.generate": {"passed": 7}}))
    write_tests(project, "part", "gateway('/flux.generate/200')", "gateway('/flux.generate/200')")
    run(project, "-k", "test_1").assert_outcomes(passed=1, deselected=1)
    assert results(project) == {
        "openai.embeddings": {"passed": 9, "failed": 0},
        "flux.generate": {"passed": 1, "failed": 0},
    }
    run(project, "tests/test_part.py").assert_outcomes(passed=2)
    assert results(project)["openai.embeddings"] == {"passed": 9, "failed": 0}
    run(project).assert_outcomes(passed=2)
    assert results(project) == {"flux.generate": {"passed": 2, "failed": 0}}


def test_a_run_cut_short_is_not_whole(project: pytest.Pytester) -> None:
    path = project.path / "tests" / "results" / "operations.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"openai.embeddings": {"passed": 9, "failed": 0}}))
    write_tests(project, "cut", "assert False", "gateway('/flux.generate/200')")
    run(project, "-x").assert_outcomes(failed=1)
    assert results(project)["openai.embeddings"] == {"passed": 9, "failed": 0}


def test_workers_results_come_together_in_the_same_file(project: pytest.Pytester) -> None:
    write_tests(project, "one", *["gateway('/flux.generate/200')"] * 3)
    (project.path / "tests" / "test_two.py").write_text(
        "import pytest\n@pytest.mark.operation('a.b', 'z.y')\ndef test_two(gateway):\n"
        "    gateway('/z.y/200'); gateway('/a.b/302')\n"
    )
    path = project.path / "tests" / "results" / "operations.json"
    run(project).assert_outcomes(passed=4)
    first = path.read_text()
    path.unlink()
    run(project, "-p", "xdist", "-n", "2").assert_outcomes(passed=4)
    assert path.read_text() == first
    assert json.loads(first)["flux.generate"] == {"passed": 3, "failed": 0}
    assert list(json.loads(first)) == ["a.b", "flux.generate", "z.y"]
