"""Drives chat, tools and embeddings by LlamaIndex; prints one line of JSON. Runs in an environment of its own."""

from __future__ import annotations

import json
import os

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.tools import FunctionTool
from llama_index.core.utils import set_global_tokenizer
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

# By default LlamaIndex would fetch a vocabulary.
set_global_tokenizer(str.split)

BASE, KEY = f"{os.environ['GATEWAY']}/v1", os.environ["TOKEN"]
llm = OpenAILike(
    model="smollm2-135m-instruct",
    api_base=BASE,
    api_key=KEY,
    is_chat_model=True,
    is_function_calling_model=True,
    context_window=4096,
    temperature=0,
    max_tokens=60,
    max_retries=0,
)
embedding = OpenAILikeEmbedding(model_name="multilingual-e5-small", api_base=BASE, api_key=KEY, max_retries=0)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def get_weather(city: str) -> str:
    """Get the current weather in a city."""
    return f"sunny in {city}"


question = [ChatMessage(role="user", content="What is the capital of France?")]
tools = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(get_weather)]


def calls(response: object) -> list[object]:
    """Return the tools' names and arguments."""
    found = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    return [[call.tool_name, call.tool_kwargs] for call in found]


required = llm.chat_with_tools(tools, user_msg="What is 12 plus 30?", tool_required=True)
*_, streamed = llm.stream_chat_with_tools(tools[1:], user_msg="What is the weather in Paris?", tool_required=True)
answered = llm.predict_and_call(tools, user_msg="What is 12 plus 30?", tool_choice="required")
splitter = SentenceSplitter(chunk_size=100, chunk_overlap=0)
index = VectorStoreIndex.from_documents(
    [
        Document(text="The stock market fell today."),
        Document(text="It is sunny and warm outside."),
        Document(text="Apples grow on trees."),
    ],
    embed_model=embedding,
    transformations=[splitter],
)
found = index.as_retriever(similarity_top_k=1).retrieve("What is the weather like?")
seen = {
    "chat": llm.chat(question).message.content,
    "streamed": "".join(part.delta or "" for part in llm.stream_chat(question)),
    "completed": llm.complete("What is the capital of France?").text,
    "required": calls(required),
    "streamed_call": calls(streamed),
    "answered": str(answered.response),
    "dimensions": len(embedding.get_text_embedding("hello")),
    "batch": [len(vector) for vector in embedding.get_text_embedding_batch(["one", "two", "three"])],
    "nearest": found[0].node.get_content(),
}
print(json.dumps(seen))
