"""What holds for all: nothing is lost on the way and back, and a stream says what a whole answer does."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from deeepai.translators.chat import FORMATS
from deeepai.translators.chat.model import (
    Completion,
    Conversation,
    Delta,
    Done,
    Event,
    Finish,
    Media,
    OutputFormat,
    Part,
    PartEnd,
    PartStart,
    Reasoning,
    Signature,
    Start,
    Stop,
    Text,
    Thinking,
    Tokens,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    UsageSeen,
)

from .samples import PDF, PNG, SCHEMA
from .world import (
    MODELS,
    PAIRS,
    answer_of,
    asking,
    canonical,
    judge_answer,
    judge_events,
    judge_request,
    read_stream,
    split,
    translation,
    translator,
)

pairs = st.sampled_from(PAIRS)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
names = st.from_regex(r"[a-z_]{1,10}", fullmatch=True)
values = st.dictionaries(names, st.one_of(words, st.integers(-9, 9), st.booleans(), st.none()), max_size=3)
counts = st.integers(0, 1000)

# Requests --------------------------------------------------------------------------------------------------------

pictures = st.just(Media(kind="image", media_type="image/png", data=PNG))
links = st.just(Media(kind="image", url="https://example.com/a.png"))
documents = st.just(Media(kind="document", media_type="application/pdf", data=PDF, name="a.pdf"))
tools = st.lists(st.builds(Tool, name=names, description=words, schema=st.just(SCHEMA)), max_size=2)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """What all four formats can say."""
    turns = [Turn("system", [Text(draw(words))])] if draw(st.booleans()) else []
    calls = 0
    for _ in range(draw(st.integers(0, 2))):
        said: list[Part] = [Text(draw(words))]
        turns.append(
            Turn("user", [Text(draw(words)), *draw(st.lists(st.one_of(pictures, links, documents), max_size=2))])
        )
        made = draw(st.lists(st.builds(ToolCall, st.just(""), names, values.map(_json)), max_size=2))
        for call in made:
            calls += 1
            call.id = f"call_{calls}"
        turns.append(Turn("assistant", [*said, *made]))
        if made:
            results = [
                ToolResult(call.id, [Text(draw(st.one_of(words, values.filter(bool).map(_json))))]) for call in made
            ]
            turns.append(Turn("user", [*results]))
            turns.append(Turn("assistant", [Text(draw(words))]))
    turns.append(Turn("user", [Text(draw(words))]))
    given = draw(tools)
    named = [[given[0].name]] if given else []
    choices = [None, ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")]
    choices += [ToolChoice("required", one) for one in named]
    return Conversation(
        turns=turns,
        tools=given,
        tool_choice=draw(st.sampled_from(choices)) if given else None,
        max_tokens=draw(st.one_of(st.none(), st.integers(16, 9000))),
        temperature=draw(st.one_of(st.none(), st.sampled_from([0, 0.25, 1]))),
        output=draw(st.one_of(st.none(), st.just(OutputFormat(SCHEMA, "answer", strict=True)))),
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def kept(conversation: Conversation) -> Conversation:
    """A conversation without what one of the formats has no words for."""
    if conversation.output is not None:
        conversation.output = OutputFormat(conversation.output.schema)
    for turn in conversation.turns:
        for part in turn.parts:
            if isinstance(part, ToolCall):
                part.arguments = _json(json.loads(part.arguments))
            elif isinstance(part, Media):
                part.media_type = part.name = part.detail = ""
            elif isinstance(part, ToolResult):
                part.name = ""
    if conversation.max_tokens == 4096:
        # What Anthropic gets where nobody set a limit.
        conversation.max_tokens = None
    return conversation


@settings(max_examples=150, deadline=None)
@given(pairs, conversations())
def test_a_request_survives_the_way_and_back(pair: tuple[str, str], conversation: Conversation) -> None:
    source, target = FORMATS[pair[0]], FORMATS[pair[1]]
    wanted = kept(copy.deepcopy(conversation))
    first = _through_json(source.write_request(conversation, MODELS[pair[0]]))
    judge_request(pair[0], first)
    there = _through_json(target.write_request(source.read_request(first, False), MODELS[pair[1]]))
    judge_request(pair[1], there)
    again = source.write_request(target.read_request(there, False), MODELS[pair[0]])
    found = source.read_request(_through_json(again), False)
    assert kept(found) == wanted


def _through_json(body: Any) -> Any:
    return json.loads(json.dumps(body))


# Answers ---------------------------------------------------------------------------------------------------------

usages = st.builds(
    Tokens,
    input=st.integers(1000, 9000),
    cached=counts,
    output=st.integers(1000, 9000),
    reasoning=counts,
)


@st.composite
def completions(draw: st.DrawFn) -> Completion:
    """An answer with thoughts (all of them signed, or none), words and calls."""
    signature = st.text("abcdefgh", min_size=1, max_size=8) if draw(st.booleans()) else st.just("")
    parts: list[Part] = draw(
        st.lists(
            st.one_of(
                st.builds(Thinking, origin=st.just("x"), text=words, signature=signature),
                st.builds(Text, words),
                st.builds(ToolCall, st.just(""), names, values.map(_json)),
            ),
            min_size=1,
            max_size=5,
        )
    )
    called = False
    for place, part in enumerate(parts):
        if isinstance(part, ToolCall):
            called, part.id = True, f"call_{place}"
    stop = Stop.TOOLS if called else draw(st.sampled_from([Stop.END, Stop.LENGTH, Stop.FILTERED]))
    return Completion(id="a1", model="m", parts=parts, stop=stop, usage=draw(usages), created=1_760_000_000)


def pieces(draw: st.DrawFn, text: str) -> list[Event]:
    """A text cut anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    found = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return [Delta(one) for one in found if one]


@st.composite
def streamed(draw: st.DrawFn) -> tuple[Completion, list[Event]]:
    completion = draw(completions())
    events: list[Event] = [Start(completion.id, completion.model, created=completion.created)]
    for part in completion.parts:
        if isinstance(part, ToolCall):
            events += [PartStart(ToolCall(part.id, part.name, "")), *pieces(draw, part.arguments)]
        elif isinstance(part, Thinking):
            events += [PartStart(Thinking(origin=part.origin)), *pieces(draw, part.text)]
            events += [Signature(part.signature)] if part.signature else []
        else:
            assert isinstance(part, Text)
            events += [PartStart(Text("")), *pieces(draw, part.text)]
        events.append(PartEnd())
    return completion, [*events, UsageSeen(completion.usage), Finish(completion.stop), Done()]


@settings(max_examples=200, deadline=None)
@given(pairs, streamed())
def test_a_stream_says_what_a_whole_answer_does(pair: tuple[str, str], case: tuple[Completion, list[Event]]) -> None:
    source, target = pair
    completion, events = case
    whole = FORMATS[target].write_answer(completion, "m", {})
    judge_answer(target, whole)
    writer = FORMATS[target].writer("m", {"stream_options": {"include_usage": True}})
    sent = split(b"".join(writer.feed(event) for event in events) + writer.end())
    judge_events(target, sent)

    made = json.loads(translator(source, target).answer(asking(source), answer_of(whole)))
    judge_answer(source, made)
    stream = translation(source, target)
    shown = split(b"".join(stream.feed(event) for event in sent) + stream.end())
    judge_events(source, shown)
    joined = canonical(read_stream(source, shown))
    expected = canonical(FORMATS[source].read_answer(made))
    # A response's id is made by chance, and others follow from it.
    joined.id = expected.id = ""
    assert joined == expected
    assert joined.stop is completion.stop
    assert joined.usage == completion.usage
    said = "".join(part.text for part in completion.parts if isinstance(part, Text))
    assert "".join(part.text for part in joined.parts if isinstance(part, Text)) == said
    calls = [json.loads(part.arguments) for part in completion.parts if isinstance(part, ToolCall)]
    assert [json.loads(part.arguments) for part in joined.parts if isinstance(part, ToolCall)] == calls


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["none", "low", "medium", "high"]), pairs)
def test_effort_survives_the_way_and_back(effort: str, pair: tuple[str, str]) -> None:
    source, target = FORMATS[pair[0]], FORMATS[pair[1]]
    conversation = Conversation(turns=[Turn("user", [Text("Hi")])], reasoning=Reasoning(effort))
    there = target.write_request(
        source.read_request(source.write_request(conversation, MODELS[pair[0]]), False), MODELS[pair[1]]
    )
    found = target.read_request(there, False).reasoning
    assert found is not None
    # Gemini 3 cannot think not at all.
    lost = "gemini" in pair and effort == "none"
    assert found.effort == ("low" if lost else effort)
