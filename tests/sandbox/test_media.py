"""Films and sounds are what they are said to be: every frame of them is decoded, by FFmpeg and by Chromium."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from deeepai.sandbox.media import h264, sounds
from deeepai.sandbox.media.draw import Picture, write
from deeepai.sandbox.media.video import KEY_EVERY, film
from tests.wire.test_browsers import CHROMIUM, in_chromium

WORDS = "A cat in a spacesuit, seen from below, with both eyes open"
HEARD = ("mp3", "aac", "flac", "wav", "opus")


def picture(width: int, height: int, source: bytes | None = None) -> Picture:
    return Picture(width, height, WORDS, b"a digest", source=source)


def frames_of(data: bytes) -> list[np.ndarray]:
    """Return the brightness of each pixel of each frame."""
    with av.open(io.BytesIO(data)) as container:
        return [luma_of(frame) for frame in container.decode(video=0)]


def luma_of(frame: av.VideoFrame) -> np.ndarray:
    plane = frame.planes[0]
    return np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def tone_of(data: bytes) -> tuple[float, float, float]:
    """Return seconds, loudness (0 to 1) and the strongest frequency of a sound."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        wave = np.concatenate([frame.to_ndarray().astype(float).mean(0) for frame in container.decode(stream)])
        rate = stream.rate
    whole = wave / 32768 if np.abs(wave).max() > 2 else wave
    strength = np.abs(np.fft.rfft(whole * np.hanning(len(whole))))
    return len(whole) / rate, float(whole.std()), float(strength.argmax() * rate / len(whole))


@pytest.mark.parametrize(
    ("width", "height", "seconds", "fps"),
    [
        (1280, 720, 5, 24),
        (1920, 1080, 10, 24),
        (1080, 1920, 5, 30),
        (720, 1280, 2, 60),
        (1112, 834, 6, 24),
        (854, 480, 4.07, 24),
        (130, 50, 2, 24),
        (64, 64, 4, 6.25),
        (16, 16, 0, 24),
        (2, 2, 1, 24),
    ],
)
def test_films_have_the_size_length_and_pictures_that_they_should(
    width: int, height: int, seconds: float, fps: float
) -> None:
    data = film(picture(width, height), seconds, fps)
    shown = frames_of(data)
    assert {frame.shape for frame in shown} == {(height, width)}
    assert len(shown) == max(1, round(seconds * fps))
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.profile) == ("h264", "Constrained Baseline")
        assert stream.duration is not None
        assert stream.time_base is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(seconds or 1 / fps, abs=0.01)
        assert not container.streams.audio
        assert container.metadata["title"] == "TEST MODE"


def test_odd_sides_are_made_even() -> None:
    assert frames_of(film(picture(853, 481), 1))[0].shape == (482, 854)


def test_a_player_may_begin_at_once_and_needs_little() -> None:
    data = film(picture(1280, 720), 10)
    assert data.index(b"moov") < data.index(b"mdat")
    assert len(data) < 100_000
    film.cache_clear()
    assert data == film(picture(1280, 720), 10), "the same request gives the same bytes"
    assert data != film(Picture(1280, 720, WORDS, b"another"), 10)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_films_are_made_quickly(width: int, height: int) -> None:
    before = time.thread_time()
    film(Picture(width, height, WORDS, b"nobody asked for this one before"), 10, sound=True)
    assert time.thread_time() - before < 0.3, "a tenth of a second at most, and some for slow machines"


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1080, 1920), (512, 512)])
def test_a_film_says_that_it_is_a_test(width: int, height: int) -> None:
    small = Image.new("RGB", (-(-width // 16) * 4, -(-height // 16) * 4), "grey")
    write(small, WORDS)
    said = np.repeat(np.repeat(np.asarray(small.convert("L")), 4, 0), 4, 1)[:height, :width]
    for frame in frames_of(film(picture(width, height), 2))[::20]:
        assert np.percentile(frame[said == 255], 5) > 200
        assert np.percentile(frame[said == 0], 95) < 60


def test_a_film_moves_and_what_stands_still_does_not() -> None:
    shown = frames_of(film(picture(640, 360), KEY_EVERY + 2))
    changes = [number for number in range(1, len(shown)) if (shown[number] != shown[number - 1]).any()]
    assert len(changes) > len(shown) * 0.6
    moved = {int(row) for number in changes for row in np.nonzero((shown[number] != shown[number - 1]).any(1))[0]}
    assert max(moved) - min(moved) < 16, "one strip"
    middle = (max(moved) + min(moved)) // 2
    assert (shown[-1][middle] > 180).mean() > 0.9 > 0.1 > (shown[0][middle] > 180).mean(), "it fills"


def test_a_film_of_a_picture_shows_it() -> None:
    source = Image.new("RGB", (400, 300), (200, 40, 40))
    source.paste((30, 60, 220), (200, 0, 400, 300))
    out = io.BytesIO()
    source.save(out, "PNG")
    data = film(picture(800, 600, out.getvalue()), 1)
    with av.open(io.BytesIO(data)) as container:
        shown = next(container.decode(video=0)).to_image()
    for place, colour in (((40, 40), (200, 40, 40)), ((760, 40), (30, 60, 220))):
        seen = shown.getpixel(place)
        assert isinstance(seen, tuple)
        assert all(abs(a - b) < 12 for a, b in zip(seen, colour, strict=True)), (seen, colour)


def test_any_picture_can_be_coded() -> None:
    # Noise has all runs and levels that there are.
    rng = np.random.default_rng(3)
    columns, rows = 40, 24
    for spread in (2, 8, 40, 110):
        levels = rng.normal(128, spread, (rows, columns, 24)).clip(16, 239).astype(np.uint8)
        blocks = [[square.tobytes() for square in row] for row in levels]
        bits, _ = h264.intra(blocks)
        units = [h264.sequence_set(columns * 16, rows * 16, 24), h264.picture_set()]
        units.append(h264.unit(0x65, h264.head(0, 0, 0) + bits))
        decoder = av.CodecContext.create("h264", "r")
        packets = decoder.parse(b"".join(b"\0\0\0\1" + unit for unit in units)) + decoder.parse()
        (frame,) = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
        wanted = levels[:, :, :16].reshape(rows, columns, 4, 4).transpose(0, 2, 1, 3).reshape(rows * 4, columns * 4)
        error = luma_of(frame)[::4, ::4].astype(int) - wanted
        assert np.abs(error).max() <= 13
        assert np.sqrt((error**2).mean()) < 2.5


def test_a_film_with_sound() -> None:
    data = film(picture(640, 360), 5, sound=True)
    assert len(frames_of(data)) == 120
    seconds, loudness, frequency = tone_of(data)
    assert seconds == pytest.approx(5, abs=0.05)
    assert 0.05 < loudness < 0.5
    assert frequency == pytest.approx(375, abs=2)


@pytest.mark.parametrize("kind", HEARD)
@pytest.mark.parametrize("length", [0.5, 4.8, 60])
def test_sounds_last_as_long_as_they_say_and_are_heard(kind: str, length: float) -> None:
    data = sounds.sound(kind, length)
    seconds, loudness, frequency = tone_of(data)
    assert seconds == pytest.approx(length, abs=0.1)
    assert 0.05 < loudness < 0.5
    expected = {"mp3": 375, "aac": 375, "flac": 246, "wav": 220, "opus": 550}[kind]
    assert frequency == pytest.approx(expected, abs=6)
    assert data == sounds.sound(kind, length)


def test_a_long_sound_is_made_quickly() -> None:
    for kind in HEARD:
        before = time.thread_time()
        sounds.sound(kind, 240)
        assert time.thread_time() - before < 0.3, kind


def as_url(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed here")
def test_chromium_plays_films(tmp_path: Path) -> None:
    kinds = {
        "plain": film(picture(1280, 720), 5),
        "with sound": film(picture(1920, 1080), 5, sound=True),
        "odd": film(picture(854, 482), 3, 30),
    }
    seen = in_chromium(
        f"""
        const told = {{}};
        const films = {[[name, as_url(data, "video/mp4")] for name, data in kinds.items()]!r};
        for (const [name, url] of films) {{
          const video = document.createElement("video");
          video.muted = true;
          document.body.append(video);
          await new Promise((done, failed) => {{
            video.onloadeddata = done;
            video.onerror = () => failed(new Error(name + ": " + video.error.message));
            video.src = url;
          }});
          await video.play();
          while (video.currentTime < 0.4) await new Promise(done => setTimeout(done, 50));
          video.currentTime = video.duration - 0.2;
          await new Promise(done => video.onended = done);
          const canvas = document.createElement("canvas");
          canvas.width = video.videoWidth, canvas.height = video.videoHeight;
          const drawn = canvas.getContext("2d");
          drawn.drawImage(video, 0, 0);
          const pixels = drawn.getImageData(0, 0, canvas.width, canvas.height).data;
          let white = 0;
          for (let at = 0; at < pixels.length; at += 4)
            white += pixels[at] > 220 && pixels[at + 1] > 220 && pixels[at + 2] > 220;
          const played = video.getVideoPlaybackQuality().totalVideoFrames;
          told[name] = [video.videoWidth, video.videoHeight, video.duration, white * 4 / pixels.length, played > 5];
        }}
        return told;
        """,
        tmp_path,
    )
    assert isinstance(seen, dict), seen
    for name, width, height, seconds in (("plain", 1280, 720, 5), ("with sound", 1920, 1080, 5), ("odd", 854, 482, 3)):
        assert seen[name][:2] == [width, height]
        assert seen[name][2] == pytest.approx(seconds, abs=0.05)
        assert 0.02 < seen[name][3] < 0.5, "the words"
        assert seen[name][4]


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed here")
def test_chromium_hears_sounds(tmp_path: Path) -> None:
    made = [[kind, as_url(sounds.sound(kind, 3), sounds.MIME[kind])] for kind in HEARD]
    made.append(["film", as_url(film(picture(640, 360), 3, sound=True), "video/mp4")])
    seen = in_chromium(
        f"""
        const told = {{}};
        for (const [kind, url] of {made!r}) {{
          const bytes = await (await fetch(url)).arrayBuffer();
          const heard = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(bytes);
          const wave = heard.getChannelData(0);
          told[kind] = [heard.duration, Math.sqrt(wave.reduce((sum, value) => sum + value * value, 0) / wave.length)];
        }}
        return told;
        """,
        tmp_path,
    )
    assert isinstance(seen, dict), seen
    for kind in (*HEARD, "film"):
        assert seen[kind][0] == pytest.approx(3, abs=0.1), kind
        assert 0.05 < seen[kind][1] < 0.5, kind
