"""How well text is read: character error rates on rendered pages, whichever way they lie, and on a photographed one.

`python -m bench.ocr_quality` prints tables in Markdown. An error rate is the edit distance (insertions, deletions,
substitutions) over the characters of the truth, in the order of reading, white space left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from PIL import Image, ImageFilter
from skimage import data
from tests.support import typeset

from deeepai.engines.ocr import sources, writing

CHINESE = (
    "人工智能正在改变我们的生活方式。从清晨的天气预报到夜晚的推荐音乐，算法无处不在。二〇二六年，全国数字经济规模达到五十六万亿元，"
    "占国内生产总值的百分之四十二。专家指出，数据安全、隐私保护与公平使用是下一阶段的三大难题。山东、江苏、广东等省份已经发布实施细则，"
    "鼓励企业建立内部审查制度。与此同时，教育部门把编程与统计列入中学课程，希望学生早日掌握分析信息的能力。有人担忧岗位减少，"
    "也有人认为新的职业会不断出现；历史告诉我们，每一次技术变革都既带来阵痛，也带来机遇。"
)
ENGLISH = (
    "Artificial intelligence is changing the way we live. From the morning's forecast to the evening's music, "
    "algorithms are everywhere. In 2026 the digital economy reached $7,812.4 billion, 42% of gross domestic product. "
    "Experts name three problems of the years to come: safety of data, privacy, and fair use. Several states have "
    "published rules that ask companies to review their own systems. Schools now teach programming and statistics, so "
    "that pupils learn early how to judge information. Some fear for jobs; others expect new ones. History shows that "
    "each change of technology brought both pain and opportunity (see pages 12-19)."
)
PAGE = (
    "Region-based segmentation Let us first determine markers of the coins and the background. These markers are "
    "pixels that we can label unambiguously as either object or background. Here, the markers are found at the two "
    "extreme parts of the histogram of grey values: >>> markers = np.zeros_like(coins)"
)
LANGUAGES = {
    "ChineseTaiwan": (
        "人工智慧正在改變我們的生活方式。從清晨的天氣預報到夜晚的推薦音樂，演算法無處不在。專家指出，"
        "資料安全是下一階段的難題。"
    ),
    "Japanese": (
        "人工知能は私たちの生活を変えつつあります。朝の天気予報から夜のおすすめの音楽まで、"
        "アルゴリズムはどこにでもあります。"
    ),
    "German": (
        "Künstliche Intelligenz verändert unser Leben. Größere Städte prüfen, wie Züge, Busse und Bahnen "
        "öfter fahren können."
    ),
    "French": (
        "L'intelligence artificielle change notre façon de vivre. Où sont passés les élèves ? À l'école, "
        "naturellement, déjà."
    ),
    "Spanish": (
        "La inteligencia artificial está cambiando nuestra vida. ¿Dónde están los niños? Mañana irán al "
        "colegio, según dicen."
    ),
    "Italian": (
        "L'intelligenza artificiale sta cambiando la nostra vita. Perché no? Così è più facile, e già domani si vedrà."
    ),
    "Portuguese": (
        "A inteligência artificial está a mudar a nossa vida. As crianças já não vão à escola; amanhã irão, não é?"
    ),
    "Dutch": (
        "Kunstmatige intelligentie verandert ons leven. Zij zeggen dat de bijeenkomst geïnspireerd en heel goed was."
    ),
    "Polish": (
        "Sztuczna inteligencja zmienia nasze życie. Większość ludzi już dziś słyszała o niej więcej, niż się "
        "spodziewała."
    ),
    "Korean": (
        "인공지능은 우리의 삶을 바꾸고 있습니다. 아침의 일기예보부터 저녁의 음악까지 알고리즘은 어디에나 있습니다."
    ),
    "Russian": (
        "Искусственный интеллект меняет нашу жизнь. От утреннего прогноза погоды до вечерней музыки алгоритмы повсюду."
    ),
    "Greek": "Η τεχνητή νοημοσύνη αλλάζει τη ζωή μας. Από την πρωινή πρόγνωση έως τη βραδινή μουσική.",
    "Vietnamese": (
        "Trí tuệ nhân tạo đang thay đổi cuộc sống của chúng ta. Từ dự báo thời tiết buổi sáng đến âm nhạc buổi tối."
    ),
}
"""The last five are refused."""

Change = Callable[[Image.Image], Image.Image]


def distance(one: str, other: str) -> int:
    """Return how many letters must be put in, taken out or changed."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row[0] = row[0], number
        for place, same in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != same))
    return row[-1]


def tight(text: str) -> str:
    """Return a text without white space."""
    return "".join(text.split())


def error(image: Image.Image, truth: str) -> float:
    """Return the character error rate of a page."""
    pixels = cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR)
    read = writing.plain([sources.of_pixels(pixels)[0]])
    return distance(tight(truth), tight(read)) / len(tight(truth))


def broken(text: str, width: int, size: int) -> list[str]:
    """Break a text into lines: at spaces, or anywhere where it has none."""
    if " " in text:
        return typeset.wrapped(text.split(), width, size)
    count = width // size
    return [text[start : start + count] for start in range(0, len(text), count)]


def noisy(image: Image.Image) -> Image.Image:
    """Return a page as a poor copier has it: grey, blurred, grained."""
    grain = np.random.default_rng(1).normal(0, 14, (image.height, image.width))
    grey = np.asarray(image.convert("L").filter(ImageFilter.GaussianBlur(0.8)), float) * 0.7 + 50
    return Image.fromarray(np.clip(grey + grain, 0, 255).astype(np.uint8))


WAYS: Sequence[tuple[str, Change]] = (
    ("upright", lambda image: image),
    ("90° clockwise", lambda image: typeset.turned(image, 90)),
    ("180°", lambda image: typeset.turned(image, 180)),
    ("270° clockwise", lambda image: typeset.turned(image, 270)),
    ("15° askew", lambda image: typeset.turned(image, 15)),
    ("white on black", lambda image: Image.eval(image, lambda value: 255 - value)),
    ("grained and grey", noisy),
)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="18,24,40", help="pixels of a letter's height")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    texts = {"Chinese": CHINESE, "English": ENGLISH}
    heads = [f"{name}, {size} px" for name in texts for size in sizes]
    print("| the page lies | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    begun, pages = time.monotonic(), 0
    for way, change in WAYS:
        rates: list[str] = []
        for text in texts.values():
            for size in sizes:
                page = change(typeset.page(broken(text, 1080, size), size=size))
                rates.append(f"{error(page, text):.1%}")
                pages += 1
        print(f"| {way} | " + " | ".join(rates) + " |")
    seconds = (time.monotonic() - begun) / pages
    print(f"\nA page took {seconds:.1f} s, one thread.\n")
    photo = Image.fromarray(data.page())
    print("| scikit-image's `page.png`, a photograph | error |\n|---|---|")
    for way, change in WAYS[:4]:
        print(f"| {way} | {error(change(photo), PAGE):.1%} |")
    print("\n| language | error at 28 px |\n|---|---|")
    for name, text in LANGUAGES.items():
        print(f"| {name} | {error(typeset.page(broken(text, 1080, 28), size=28), text):.1%} |")


if __name__ == "__main__":
    main()
