"""The neutral conversation: what the chat formats have in common, in no vendor's words.

Requests become a `Conversation`, whole answers a `Completion`, streams a sequence of events. Every format reads into
these and writes from them, so a format is written once and not once a pair.
"""

from __future__ import annotations

import enum
from typing import Any, Literal

import msgspec

from ...declare import Failure, Json

# Parts -----------------------------------------------------------------------------------------------------------


class Text(msgspec.Struct):
    """Text; `refusal` where the model says that it will not; `cache` as in `Media`."""

    text: str
    refusal: bool = False
    cache: dict[str, Json] | None = None


class Media(msgspec.Struct, kw_only=True):
    """An image, document, sound or film.

    Attributes
    ----------
    url : str
        Where it lies; or else
    data : str
        its bytes in base64; or else
    file_id : str
        its id among the files kept at OpenAI.
    detail : str
        How closely an image is to be looked at, in OpenAI's words.
    cache : dict, optional
        Anthropic's `cache_control`, which other formats carry for its models.
    """

    kind: Literal["image", "document", "audio", "video"]
    media_type: str = ""
    url: str = ""
    data: str = ""
    file_id: str = ""
    name: str = ""
    detail: str = ""
    cache: dict[str, Json] | None = None


class Thinking(msgspec.Struct, kw_only=True):
    """What a model thought before it spoke.

    Attributes
    ----------
    origin : str
        The format of the upstream that made it. Another upstream cannot use it.
    signature : str
        What that upstream wants back with the next turn, unread.
    hidden : bool
        The thoughts are inside of `signature` alone (Anthropic's redacted thinking).
    quiet : bool
        The caller did not ask to see thoughts: their text goes along sealed.
    id : str
        The item's id, where the format gives it one.
    """

    origin: str
    text: str = ""
    signature: str = ""
    id: str = ""
    hidden: bool = False
    quiet: bool = False


class ToolCall(msgspec.Struct):
    """A call of a tool; `arguments` is JSON as text, `name` as in `Tool`."""

    id: str
    name: str
    arguments: str
    cache: dict[str, Json] | None = None


class ToolResult(msgspec.Struct):
    """What a tool answered to the call with this id."""

    id: str
    parts: list[Text | Media]
    name: str = ""
    error: bool = False
    cache: dict[str, Json] | None = None


Part = Text | Media | Thinking | ToolCall | ToolResult


# Requests --------------------------------------------------------------------------------------------------------


class Turn(msgspec.Struct):
    """What one side says. Results of tools stand in a user's turn."""

    role: Literal["system", "user", "assistant"]
    parts: list[Part]


class Tool(msgspec.Struct):
    """A function that the model may call; `schema` is JSON Schema, `name` is one word even where it has a namespace."""

    name: str
    description: str = ""
    schema: dict[str, Json] | None = None
    strict: bool = False
    cache: dict[str, Json] | None = None


class ToolChoice(msgspec.Struct):
    """Whether tools may, must or must not be called, and which (`names`; all where empty)."""

    mode: Literal["auto", "none", "required"]
    names: list[str] = []


class OutputFormat(msgspec.Struct):
    """JSON of any kind (`schema` is None) or by a schema."""

    schema: dict[str, Json] | None = None
    name: str = ""
    description: str = ""
    strict: bool | None = None


class Reasoning(msgspec.Struct):
    """How much to think, as a word or in tokens, and whether the caller wants to see it (None: did not say).

    `effort` is none, minimal, low, medium, high, xhigh or max; both empty means as the model likes.
    """

    effort: str = ""
    budget: int | None = None
    show: bool | None = None


class Conversation(msgspec.Struct, kw_only=True):
    """A request."""

    turns: list[Turn]
    stream: bool = False
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    parallel: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    output: OutputFormat | None = None
    reasoning: Reasoning | None = None
    verbosity: str = ""
    user: str = ""
    cache_key: str = ""


# Answers ---------------------------------------------------------------------------------------------------------


class Stop(enum.Enum):
    """Why an answer ends."""

    END = "end"
    SEQUENCE = "sequence"
    LENGTH = "length"
    TOOLS = "tools"
    FILTERED = "filtered"


class Tokens(msgspec.Struct, kw_only=True):
    """Token counts: `input` with all of its parts, `output` with all of its parts."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    audio_in: int = 0
    output: int = 0
    reasoning: int = 0
    audio_out: int = 0


class Completion(msgspec.Struct, kw_only=True):
    """A whole answer."""

    id: str
    model: str
    parts: list[Part]
    stop: Stop
    usage: Tokens
    sequence: str | None = None
    """The stop sequence that was met."""
    created: int | None = None
    """Seconds since 1970."""


# Streams ---------------------------------------------------------------------------------------------------------


class Start(msgspec.Struct):
    """The answer begins; `usage` is what is known of the input already."""

    id: str
    model: str
    usage: Tokens | None = None
    created: int | None = None


class PartStart(msgspec.Struct):
    """A part begins: an empty Text, Thinking or ToolCall to which the deltas add. Parts never overlap."""

    part: Text | Thinking | ToolCall


class Delta(msgspec.Struct):
    """More of the open part: text, thoughts, or a call's arguments."""

    text: str


class Signature(msgspec.Struct):
    """The open thinking part's signature, whole."""

    value: str
    id: str = ""


class PartEnd(msgspec.Struct):
    """The open part ends."""


class UsageSeen(msgspec.Struct):
    """Token counts; later ones replace earlier ones."""

    usage: Tokens


class Finish(msgspec.Struct):
    """Why the answer ends; usage may follow."""

    stop: Stop
    sequence: str | None = None


class Done(msgspec.Struct):
    """Nothing follows."""


class Broken(msgspec.Struct):
    """The upstream tells of a failure in mid-stream; nothing follows."""

    failure: Any
    """A `Failure`."""

    def reason(self) -> Failure:
        """Return the failure."""
        return self.failure


Event = Start | PartStart | Delta | Signature | PartEnd | UsageSeen | Finish | Done | Broken
