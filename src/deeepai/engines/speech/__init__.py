"""Text to speech: Kokoro, and how texts become the phonemes that it reads."""
