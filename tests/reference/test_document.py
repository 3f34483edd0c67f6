from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from deeepai.control.document import build
from deeepai.declare import Failure, Kind, Reason
from deeepai.gateway.routing import paths
from deeepai.protocols import PROTOCOLS
from deeepai.translators import TASK_TRANSLATORS

LANGUAGES = ("en", "zh")
DECLARED = [(protocol, operation) for protocol in PROTOCOLS.values() for operation in protocol.operations]
NAMES = [f"{protocol.name}.{operation.name}" for protocol, operation in DECLARED]


@pytest.fixture(scope="module", params=LANGUAGES)
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    # As a reader gets it: through JSON.
    return msgspec.json.decode(msgspec.json.encode(build(PROTOCOLS, TASK_TRANSLATORS, request.param)))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {operation["operationId"]: operation for _, _, operation in operations(document)}


def test_document_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_stands_once_under_its_path(document: dict[str, Any]) -> None:
    found = {operation["operationId"]: (path, method.upper()) for path, method, operation in operations(document)}
    for protocol, operation in DECLARED:
        name = f"{protocol.name}.{operation.name}"
        path, method = found[name]
        assert (path.partition("#")[0], method) == (next(iter(protocol.prefixes)) + operation.path, operation.method)
        assert by_name(document)[name]["x-deeepai-paths"] == [path for path, _ in paths(protocol, operation)]
        assert by_name(document)[name]["x-tree-rows"] == list(operation.rows)
    gateway_own = {name for name in found if not name.startswith("control_")}
    assert gateway_own == set(NAMES)
    assert any(name.startswith("control_") for name in found)


def test_languages_differ_in_words_only() -> None:
    english, chinese = (by_name(build(PROTOCOLS, TASK_TRANSLATORS, language)) for language in LANGUAGES)
    for protocol, operation in DECLARED:
        name = f"{protocol.name}.{operation.name}"
        assert english[name]["summary"] == operation.summary.en
        assert chinese[name]["summary"] == operation.summary.zh == english[name]["x-summary-zh"]
        assert english[name]["x-codeSamples"] == chinese[name]["x-codeSamples"]
        assert english[name]["responses"].keys() == chinese[name]["responses"].keys()


def test_tags_are_declared_and_grouped(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    assert {tag for _, _, operation in operations(document) for tag in operation["tags"]} == tags
    assert {tag for group in document["x-tagGroups"] for tag in group["tags"]} == tags


def test_body_examples_fit_their_schemas(document: dict[str, Any]) -> None:
    shown = 0
    for _, _, operation in operations(document):
        media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" in media:
            validate(document, media["schema"], media["example"], operation["operationId"])
            shown += 1
    assert shown >= 5


def test_error_examples_fit_their_schemas_and_come_from_the_protocol(document: dict[str, Any]) -> None:
    found = by_name(document)
    for protocol, operation in DECLARED:
        name = f"{protocol.name}.{operation.name}"
        responses = found[name]["responses"]
        if not operation.public:
            reply = protocol.error(Failure(Reason.UNAUTHENTICATED, "no"), operation, "req_1")
            assert str(reply.status) in responses, name
        for status, response in responses.items():
            for media in response.get("content", {}).values():
                for example in media.get("examples", {}).values():
                    if not status.startswith("2"):
                        validate(document, media["schema"], example["value"], f"{name} {status}")


def validate(document: dict[str, Any], schema: dict[str, Any], value: Any, name: str) -> None:
    whole = {**schema, "components": document["components"]}
    try:
        jsonschema.Draft202012Validator(whole).validate(value)
    except jsonschema.ValidationError as fault:
        raise AssertionError(f"{name}: {fault.message}") from None


def test_unknown_fields_are_allowed_wherever_the_gateway_lets_them_through(document: dict[str, Any]) -> None:
    for protocol, operation in DECLARED:
        if operation.body is None or operation.media in ("multipart", "form"):
            continue
        media = by_name(document)[f"{protocol.name}.{operation.name}"]["requestBody"]["content"]["application/json"]
        name = media["schema"]["$ref"].rsplit("/", 1)[-1]
        assert document["components"]["schemas"][name]["additionalProperties"] is True, name


def test_what_a_submission_answers_is_shown(document: dict[str, Any]) -> None:
    submissions = [
        f"{protocol.name}.{operation.name}" for protocol, operation in DECLARED if operation.kind is Kind.SUBMIT
    ]
    assert submissions
    for name in submissions:
        good = [response for status, response in by_name(document)[name]["responses"].items() if status[0] == "2"]
        assert any("example" in media for response in good for media in response["content"].values()), name


def test_callers_key_places_are_security_schemes(document: dict[str, Any]) -> None:
    for protocol, operation in DECLARED:
        security = by_name(document)[f"{protocol.name}.{operation.name}"]["security"]
        expected = [] if operation.public else ["bearer", *protocol.key_headers, *protocol.key_queries]
        assert [next(iter(choice)) for choice in security] == expected
    for name in ("x-key",):
        assert document["components"]["securitySchemes"][name]["in"] == "header"


@pytest.mark.parametrize("name", NAMES)
def test_curl_lines_are_words_that_a_shell_understands(name: str) -> None:
    source = by_name(build(PROTOCOLS, TASK_TRANSLATORS, "en"))[name]["x-codeSamples"][0]["source"]
    # The shell itself splits the line; `curl` is a function here that prints its arguments.
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\nDEEEPAI_API_KEY=sk-x\n{source}"
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, check=True)
    arguments = done.stdout.split("\0")
    assert re.search(r"https://deeepai\.invalid/\S+$", arguments[0] if "://" in arguments[0] else arguments[2])
    assert "{" not in next(word for word in arguments if "://" in word)
    if "-d" in arguments:
        assert isinstance(msgspec.json.decode(arguments[arguments.index("-d") + 1]), dict)


def test_document_stays_small() -> None:
    # Prefixes and aliases are listed, not multiplied.
    size = len(msgspec.json.encode(build(PROTOCOLS, TASK_TRANSLATORS, "en")))
    assert size < 60_000 + 20_000 * len(NAMES)
