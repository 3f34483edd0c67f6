"""Sound in and out of files, by FFmpeg through PyAV. Runs in the engines' worker processes."""

from __future__ import annotations

import importlib
import io
from fractions import Fraction
from typing import Any, Final, Literal

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]

# Without a list FFmpeg would also take playlists, which make it open other files and addresses.
_CONTAINERS: Final = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,flac,flv,matroska,webm,mov,mp4,m4a,mp3,mpeg,mpegts,ogg,tta,w64,wav,wv"
)
_ENCODERS: Final[dict[str, tuple[str, str, str, int, int]]] = {
    "mp3": ("mp3", "libmp3lame", "s16p", 24_000, 64_000),
    "opus": ("ogg", "libopus", "s16", 48_000, 48_000),
    "aac": ("adts", "aac", "fltp", 24_000, 96_000),
    "flac": ("flac", "flac", "s16", 24_000, 0),
    "wav": ("wav", "pcm_s16le", "s16", 24_000, 0),
}
"""Container, codec, sample format, sample rate and bit rate."""
SPOKEN_RATE: Final = 24_000
HEARD_RATE: Final = 16_000


class SoundError(Exception):
    """A file that holds no sound that can be read; the message is for the caller."""


def decode(data: bytes, most_seconds: float) -> Any:
    """Return the samples of a file's first sound track: a float32 array, mono, 16 kHz.

    Raises
    ------
    SoundError
    """
    av, numpy = importlib.import_module("av"), importlib.import_module("numpy")
    blocks, samples = list[Any](), 0
    try:
        with av.open(io.BytesIO(data), options={"format_whitelist": _CONTAINERS}, metadata_errors="ignore") as file:
            if not file.streams.audio:
                raise SoundError("The file holds no sound.")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=HEARD_RATE)
            frames = file.decode(file.streams.audio[0])
            while True:
                try:
                    frame = next(frames)
                except StopIteration:
                    break
                except av.error.InvalidDataError:
                    # A damaged packet; what is whole is heard.
                    continue
                frame.pts = None
                for block in resampler.resample(frame):
                    blocks.append(block.to_ndarray().reshape(-1))
                    samples += block.samples
                if samples > most_seconds * HEARD_RATE:
                    raise SoundError(f"The sound is longer than {int(most_seconds)} seconds.")
            blocks += [block.to_ndarray().reshape(-1) for block in resampler.resample(None)]
    except (av.error.FFmpegError, ValueError, EOFError) as error:
        raise SoundError(f"The file could not be decoded. Is it of a supported format? ({_said(error)})") from None
    heard = numpy.concatenate(blocks) if blocks else numpy.zeros(0, numpy.int16)
    if not len(heard):
        raise SoundError("The file holds no sound.")
    return heard.astype(numpy.float32) / 32768


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


class _Pipe:
    """What an encoder writes and nobody can seek in, so that each piece can be sent at once."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


class Encoder:
    """Makes a file of mono samples at 24 kHz, piece by piece.

    Parameters
    ----------
    tempo : float
        How many times faster than the samples it plays, at the same pitch.
    """

    def __init__(self, form: Format, tempo: float = 1.0) -> None:
        self._av: Any = importlib.import_module("av")
        self._numpy: Any = importlib.import_module("numpy")
        self._pipe = _Pipe()
        self._graph: Any = self._stretch(tempo) if abs(tempo - 1) > 1e-3 else None
        self._container: Any = None
        self._given = 0
        self.samples = 0
        """Made so far, at 24 kHz."""
        if form == "pcm":
            return
        container, codec, layout, rate, bits = _ENCODERS[form]
        self._container = self._av.open(self._pipe, "w", format=container)
        self._stream = self._container.add_stream(codec, rate=rate)
        self._stream.format, self._stream.layout = layout, "mono"
        if bits:
            self._stream.bit_rate = bits
        context = self._stream.codec_context
        context.open()
        self._resampler = self._av.AudioResampler(
            format=layout, layout="mono", rate=rate, frame_size=context.frame_size or 0
        )

    def _stretch(self, tempo: float) -> Any:
        graph = self._av.filter.Graph()
        source = graph.add_abuffer(
            format="s16", sample_rate=SPOKEN_RATE, layout="mono", time_base=Fraction(1, SPOKEN_RATE)
        )
        # One filter halves at most.
        tempos = [tempo] if tempo >= 0.5 else [tempo**0.5] * 2
        filters = [graph.add("atempo", str(part)) for part in tempos]
        graph.link_nodes(source, *filters, graph.add("abuffersink")).configure()
        return graph

    def feed(self, samples: Any) -> bytes:
        """Take float32 samples between -1 and 1; return what has become ready."""
        whole = (self._numpy.clip(samples, -1, 1) * 32767).astype("<i2")
        if not len(whole):
            return b""
        frame = self._av.AudioFrame.from_ndarray(whole.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SPOKEN_RATE, self._given, Fraction(1, SPOKEN_RATE)
        self._given += len(whole)
        if self._graph is None:
            self._encode(frame)
        else:
            self._graph.push(frame)
            self._pull()
        return self._pipe.take()

    def end(self) -> bytes:
        """Return the rest."""
        if self._graph is not None:
            self._graph.push(None)
            self._pull()
        if self._container is not None:
            for frame in self._resampler.resample(None):
                self._container.mux(self._stream.encode(frame))
            self._container.mux(self._stream.encode(None))
            self._container.close()
        return self._pipe.take()

    def _pull(self) -> None:
        av = self._av
        while True:
            try:
                self._encode(self._graph.pull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    def _encode(self, frame: Any) -> None:
        self.samples += frame.samples
        if self._container is None:
            self._pipe.write(frame.to_ndarray().tobytes())
            return
        frame.pts = None
        for piece in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(piece))
