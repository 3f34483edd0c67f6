"""OpenAI's own Node SDK against the gateway: Realtime sessions."""

from __future__ import annotations

import pytest

from tests.clients.test_node import run
from tests.stack import Gateway
from tests.support.certificates import certificate


@pytest.mark.operation("openai.realtime", "openai.realtime.client_secrets")
def test_realtime(gateway: Gateway) -> None:
    key, made = certificate("127.0.0.1")
    env = {"TLS_KEY": key.decode(), "TLS_CERT": made.decode(), "NODE_TLS_REJECT_UNAUTHORIZED": "0"}
    seen = run("realtime.mjs", gateway, **env)
    assert seen["ws"]["status"] == seen["browser"]["status"] == "completed"
    assert "by ws" in seen["ws"]["text"]
    assert seen["ws"]["usage"]["output_token_details"]["audio_tokens"] == 0
    assert seen["secret"] == "ek_"
    assert seen["protocol"] == "realtime"
    assert seen["browser"]["usage"]["output_token_details"]["audio_tokens"] == seen["browser"]["audioBytes"] // 2400
    assert seen["ws"]["types"][0] == seen["browser"]["types"][0] == "session.created"
    assert "401" in seen["refused"]
