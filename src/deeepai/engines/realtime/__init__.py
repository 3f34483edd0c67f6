"""Conversations by voice over a WebSocket, in the shape of OpenAI's Realtime API."""
