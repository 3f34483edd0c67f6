"""docmee's slide tree, both ways: what is seen stays, what was changed is changed, what is hostile is refused."""

from __future__ import annotations

import base64
import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pptx
import pypdfium2
import pytest
from pptx.chart.data import CategoryChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE
from pptx.enum.shapes import MSO_CONNECTOR, MSO_SHAPE
from pptx.util import Emu, Inches, Pt

from deeepai.engines.docmee import work
from deeepai.engines.jobs import Jobs, JobState, Refusal
from deeepai.engines.slides import office
from deeepai.engines.slides.designs import DESIGNS
from deeepai.engines.slides.model import Block, Chapter, Chart, Deck, Page, Table
from deeepai.engines.slides.tree import addresses, from_tree, to_tree
from deeepai.engines.slides.writing import write
from tests.engines.slides import files
from tests.support.pictures import png

REPOSITORY = Path(__file__).parents[3]
MINIMAL: dict[str, Any] = json.loads((Path(__file__).parent / "minimal_tree.json").read_text("utf-8"))


def rich() -> bytes:
    """A deck with what python-pptx can make: shapes of all kinds, merged cells, groups within groups, links."""
    show = pptx.Presentation()
    show.slide_width, show.slide_height = Pt(960), Pt(540)
    slide = show.slides.add_slide(show.slide_layouts[6])
    slide.background.fill.solid()
    slide.background.fill.fore_color.rgb = RGBColor(0xF5, 0xF7, 0xFA)
    box = slide.shapes.add_textbox(Pt(80), Pt(80), Pt(360), Pt(60))
    run = box.text_frame.paragraphs[0].add_run()
    run.text, run.font.size, run.font.bold = "标题 Title", Pt(28), True
    run.font.color.rgb = RGBColor(0x48, 0x74, 0xCB)
    link = box.text_frame.add_paragraph().add_run()
    link.text = "link"
    link.hyperlink.address = "https://example.com/a?b=c&d"
    shape = slide.shapes.add_shape(MSO_SHAPE.ROUNDED_RECTANGLE, Pt(500), Pt(80), Pt(200), Pt(100))
    shape.rotation, shape.text_frame.text = 15, "turned"
    shape.fill.gradient()
    slide.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, Pt(10), Pt(10), Pt(100), Pt(50))
    group = slide.shapes.add_group_shape()
    inner = group.shapes.add_group_shape()
    inner.shapes.add_shape(MSO_SHAPE.OVAL, Pt(700), Pt(300), Pt(50), Pt(50)).text_frame.text = "deep"
    table = slide.shapes.add_table(3, 3, Pt(80), Pt(300), Pt(300), Pt(90)).table
    table.cell(0, 0).merge(table.cell(0, 1))
    table.cell(1, 2).merge(table.cell(2, 2))
    for row in range(3):
        for column in range(3):
            if not table.cell(row, column).is_spanned:
                table.cell(row, column).text = f"{row}-{column}"
    picture = slide.shapes.add_picture(io.BytesIO(png(20, color="green")), Pt(400), Pt(300), Pt(100), Pt(80))
    picture.crop_left = 0.25
    slide.notes_slide.notes_text_frame.text = "notes 备注\nsecond line"
    second = show.slides.add_slide(show.slide_layouts[1])
    second.shapes.title.text = "Inherited"
    second.placeholders[1].text = "body"
    charts = show.slides.add_slide(show.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["a", "b"]
    data.add_series("one", (1, 2.5))
    data.add_series("two", (None, 4))
    for place, kind in enumerate((XL_CHART_TYPE.COLUMN_CLUSTERED, XL_CHART_TYPE.LINE, XL_CHART_TYPE.BAR_CLUSTERED)):
        charts.shapes.add_chart(kind, Inches(1 + 3 * place), Inches(1), Inches(3), Inches(3), data)
    shares = CategoryChartData()
    shares.categories = ["x", "y"]
    shares.add_series("share", (0.4, 0.6))
    charts.shapes.add_chart(XL_CHART_TYPE.DOUGHNUT, Inches(1), Inches(4), Inches(3), Inches(3), shares)
    return files.saved(show)


def ours(folder: Path) -> bytes:
    """A deck of our own design."""
    chart = Chart("line", ["2021", "2022", "2023"], {"收入": [1.0, 2.0, 3.5]}, "亿元")
    pages = [
        Page("要点", [Block("一", ["第一点。", "第二点。"]), Block("二", ["第三点。"])], notes="演讲备注"),
        Page("图表", [Block("收入", chart=chart)]),
        Page("表格", [Block(table=Table([["编号", "名称"], ["0044", "NA"]]))]),
        Page("图片", [Block("图", ["说明。"], image="a.png")]),
        Page("名言", [Block(points=["茶是慢的生意。"])], layout="quote"),
    ]
    (folder / "a.png").write_bytes(png(80, 60))
    design = next(iter(DESIGNS.values()))
    path = folder / "ours.pptx"
    deck = Deck("远山茶业", "年度报告", chapters=[Chapter("概况", pages)])
    write(deck, design.id, next(iter(design.themes)), path, pictures={"a.png": folder / "a.png"})
    return path.read_bytes()


DECKS: dict[str, Callable[[Path], bytes]] = {
    "python-pptx": lambda _: rich(),
    "default layouts": lambda _: files.slides(),
    "our own": ours,
}
PPTXGENJS = Path(__file__).parent / "pptxgenjs.pptx"
DECKS["pptxgenjs"] = lambda _: PPTXGENJS.read_bytes()


@pytest.fixture(params=sorted(DECKS))
def deck(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "deck.pptx"
    path.write_bytes(DECKS[request.param](tmp_path))
    return path


def again(tree: Any, tmp_path: Path, name: str = "again.pptx", **options: Any) -> Path:
    """A tree as it comes back from a client, written."""
    path = tmp_path / name
    from_tree(json.loads(json.dumps(tree)), path, **options)
    return path


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    stack = list(reversed(tree["pages"]))
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.get("children", [])))


def without_raw(tree: Any) -> Any:
    """The tree with what it says alone."""
    tree = copy.deepcopy(tree)
    for node in nodes(tree):
        node["extInfo"].pop("raw", None)
        node["extInfo"].pop("seen", None)
    tree.pop("raw")
    for master in tree["slideMasters"]:
        master.pop("raw")
        for layout in master["slideLayouts"]:
            layout.pop("raw")
    return tree


def seen(tree: Any) -> list[Any]:
    """What is seen of a tree, in order: kinds, boxes, texts, sizes, colours, cells, pictures, charts, notes."""
    found: list[Any] = [page["extInfo"].get("notes", "") for page in tree["pages"]]
    for node in nodes(tree):
        info = node["extInfo"].get("property", {})
        colour = info.get("fontColor", {}).get("color", {}) or {}
        found.append(
            (
                node.get("type"),
                node.get("text"),
                node.get("point"),
                info.get("fontSize"),
                info.get("bold"),
                colour.get("realColor"),
                info.get("textAlign"),
                info.get("hyperlink"),
                info.get("image"),
                json.dumps(info.get("chart", {}).get("chartData")),
                node["extInfo"].get("rowSpan"),
                node["extInfo"].get("gridSpan"),
                (info.get("fillStyle") or {}).get("type"),
            )
        )
    return found


def close(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float | int) and isinstance(other, float | int) and not isinstance(one, bool):
        return abs(one - other) <= 0.5
    return one == other


def test_a_deck_comes_back_as_it_was(deck: Path, tmp_path: Path) -> None:
    tree = to_tree(deck)
    path = again(tree, tmp_path)
    back = to_tree(path)
    assert close(seen(tree), seen(back))
    assert len(pptx.Presentation(str(path)).slides) == len(tree["pages"])
    assert to_tree(again(back, tmp_path, "third.pptx")) == back


def test_what_the_tree_says_is_enough_to_build_it(deck: Path, tmp_path: Path) -> None:
    tree = to_tree(deck)
    back = to_tree(again(without_raw(tree), tmp_path))

    def told(found: Any) -> list[Any]:
        return [
            (node["text"], node["extInfo"]["property"]["fontSize"], node["extInfo"]["property"].get("bold"))
            for page in found["pages"]
            for node in nodes({"pages": [page]})
            if node.get("type") == "r" and node["text"].strip()
        ]

    def kept(found: Any) -> list[Any]:
        return [entry for entry in told(found) if entry in told(tree)]

    assert kept(back) == told(tree)
    assert sum(node.get("type") == "table" for node in nodes(back)) == sum(
        n.get("type") == "table" for n in nodes(tree)
    )
    assert [page["extInfo"].get("notes") for page in back["pages"]] == [
        page["extInfo"].get("notes") for page in tree["pages"]
    ]


@pytest.mark.skipif(not office.program(), reason="LibreOffice is not installed here")
def test_its_pages_look_as_they_did(deck: Path, tmp_path: Path) -> None:
    path = again(to_tree(deck), tmp_path)
    for number, (before, after) in enumerate(zip(drawn(deck, tmp_path), drawn(path, tmp_path), strict=True), 1):
        differing = float((np.abs(before.astype(int) - after.astype(int)).max(axis=2) > 16).mean())
        assert differing < 0.02, f"page {number}: {differing:.1%} of the pixels differ"


def drawn(path: Path, folder: Path) -> list[Any]:
    document = pypdfium2.PdfDocument(office.pdf(path, folder))
    return [np.asarray(page.render(scale=1).to_pil().convert("RGB")) for page in document]


def find(tree: Any, text: str) -> dict[str, Any]:
    return next(node for node in nodes(tree) if node.get("text") == text)


def shape_with(tree: Any, text: str) -> dict[str, Any]:
    return next(
        node
        for node in nodes(tree)
        if node.get("type") == "text" and any(each.get("text") == text for each in nodes({"pages": [node]}))
    )


def test_what_inherits_is_resolved(tmp_path: Path) -> None:
    path = tmp_path / "a.pptx"
    path.write_bytes(rich())
    tree = to_tree(path)
    assert (tree["version"], tree["width"], tree["height"]) == ("1.0", 960, 540)
    title = find(tree, "Inherited")["extInfo"]["property"]
    assert title["fontSize"] == 44
    assert title["fontFamily"] == "Calibri"
    shape = shape_with(tree, "Inherited")
    assert shape["point"][2] > 300
    assert shape["extInfo"]["property"]["placeholder"]["type"] == "TITLE"
    assert find(tree, "body")["extInfo"]["property"]["fontSize"] == 32
    first = find(tree, "标题 Title")["extInfo"]["property"]
    assert (first["fontSize"], first["bold"], first["fontColor"]["color"]["realColor"]) == (28, True, -12028725)
    assert find(tree, "link")["extInfo"]["property"]["hyperlink"] == "https://example.com/a?b=c&d"
    assert find(tree, "turned")["extInfo"]["property"]["fontColor"]["color"]["realColor"] == -1
    table = next(node for node in nodes(tree) if node.get("type") == "table")
    cells = [
        (cell["extInfo"].get("rowSpan"), cell["extInfo"].get("gridSpan"))
        for row in table["children"]
        for cell in row["children"]
    ]
    assert cells == [(None, 2), (None, None), (None, None), (None, None), (2, None), (None, None), (None, None)]
    charts = [node["extInfo"]["property"]["chart"] for node in nodes(tree) if node.get("type") == "graphicFrame"]
    assert [chart["chartData"][0]["chartType"] for chart in charts] == ["bar", "line", "bar", "doughnut"]
    assert charts[0]["chartData"][0]["series"][1] == {"text": "two", "category": ["a", "b"], "value": [None, 4.0]}
    assert tree["pages"][0]["extInfo"]["notes"] == "notes 备注\nsecond line"


def edited(tmp_path: Path, change: Callable[[Any], object]) -> tuple[Any, Any]:
    path = tmp_path / "a.pptx"
    path.write_bytes(rich())
    tree = to_tree(path)
    changed = json.loads(json.dumps(tree))
    change(changed)
    return tree, to_tree(again(changed, tmp_path))


def test_text_is_changed_where_it_is(tmp_path: Path) -> None:
    def change(tree: Any) -> None:
        find(tree, "标题 Title")["text"] = "新标题"
        find(tree, "0-0")["text"] = "cell"
        find(tree, "body")["extInfo"]["property"]["fontSize"] = 20

    before, after = edited(tmp_path, change)
    assert find(after, "新标题")["extInfo"]["property"] == find(before, "标题 Title")["extInfo"]["property"]
    assert find(after, "link")["extInfo"]["property"]["hyperlink"] == "https://example.com/a?b=c&d"
    assert find(after, "cell")
    assert find(after, "0-2")
    assert find(after, "body")["extInfo"]["property"]["fontSize"] == 20


def test_paragraphs_come_and_go(tmp_path: Path) -> None:
    def change(tree: Any) -> None:
        paragraphs = shape_with(tree, "标题 Title")["children"]
        added = copy.deepcopy(paragraphs[0])
        added["children"][0]["text"] = "added\nin two lines"
        paragraphs.append(added)

    _, after = edited(tmp_path, change)
    texts = [node["text"] for node in nodes({"pages": [shape_with(after, "标题 Title")]}) if node.get("type") == "r"]
    assert texts == ["标题 Title", "link", "added", "\n", "in two lines"]


def test_boxes_fills_pictures_and_charts_are_changed(tmp_path: Path) -> None:
    new = "data:image/png;base64," + base64.b64encode(png(30, color="purple")).decode()

    def change(tree: Any) -> None:
        shape = shape_with(tree, "turned")
        shape["point"] = shape["extInfo"]["property"]["anchor"] = [10, 20, 300, 50]
        shape["extInfo"]["property"]["fillStyle"] = {"type": "color", "color": {"realColor": -65536, "color": -65536}}
        next(n for n in nodes(tree) if n.get("type") == "image")["extInfo"]["property"]["image"] = new
        chart = next(n for n in nodes(tree) if n.get("type") == "graphicFrame")["extInfo"]["property"]["chart"]
        chart["chartData"][0]["series"][0]["value"] = [7, 8]
        tree["pages"][0]["extInfo"]["background"]["fillStyle"] = {"type": "color", "color": {"realColor": -16777216}}
        tree["pages"][1]["extInfo"]["notes"] = "new notes"

    _, after = edited(tmp_path, change)
    shape = shape_with(after, "turned")
    assert shape["point"] == [10, 20, 300, 50]
    assert shape["extInfo"]["property"]["rotation"] == 15
    assert shape["extInfo"]["property"]["fillStyle"]["color"]["realColor"] == -65536
    image = next(node for node in nodes(after) if node.get("type") == "image")["extInfo"]["property"]
    assert (image["image"], image["clipping"]) == (new, [0, 0, 0, 0.25])
    chart = next(node for node in nodes(after) if node.get("type") == "graphicFrame")["extInfo"]["property"]["chart"]
    assert chart["chartData"][0]["series"][0]["value"] == [7.0, 8.0]
    assert after["pages"][0]["extInfo"]["background"]["fillStyle"]["color"]["realColor"] == -16777216
    assert after["pages"][1]["extInfo"]["notes"] == "new notes"
    assert after["pages"][0]["extInfo"]["notes"] == "notes 备注\nsecond line"


def test_pages_are_moved_copied_and_left_out(tmp_path: Path) -> None:
    def change(tree: Any) -> None:
        one, two, _ = tree["pages"]
        tree["pages"] = [two, one, copy.deepcopy(one)]

    _, after = edited(tmp_path, change)
    assert [bool(shape) for shape in (find(after, "Inherited"), find(after, "link"))] == [True, True]
    assert [len(page["children"]) for page in after["pages"]] == [2, 6, 6]
    assert [page["extInfo"].get("notes", "") for page in after["pages"]][:2] == ["", "notes 备注\nsecond line"]
    with zipfile.ZipFile(tmp_path / "again.pptx") as archive:
        assert len(archive.namelist()) == len(set(archive.namelist()))


def test_the_theme_is_changed(tmp_path: Path) -> None:
    def change(tree: Any) -> None:
        tree["slideMasters"][0]["theme"]["colors"]["accent1"] = -65536

    _, after = edited(tmp_path, change)
    assert after["slideMasters"][0]["theme"]["colors"]["accent1"] == -65536


def test_the_minimal_tree_is_a_deck(tmp_path: Path) -> None:
    path = again(MINIMAL, tmp_path)
    show = pptx.Presentation(str(path))
    assert (show.slide_width, show.slide_height) == (Emu(960 * 12700), Emu(540 * 12700))
    (shape,) = show.slides[0].shapes
    run = shape.text_frame.paragraphs[0].runs[0]
    assert (run.text, run.font.size, run.font.bold) == ("标题", Pt(28), True)
    assert (shape.left, shape.top) == (Pt(80), Pt(80))
    tree = to_tree(path)
    assert tree["slideMasters"][0]["theme"]["colors"]["accent1"] == -12028725
    assert to_tree(again(tree, tmp_path, "b.pptx")) == tree


def test_pictures_by_name_are_the_callers(tmp_path: Path) -> None:
    tree = copy.deepcopy(MINIMAL)
    tree["pages"][0]["children"].append(
        {
            "id": "i",
            "type": "image",
            "point": [1, 2, 30, 40],
            "extInfo": {"property": {"image": "https://a.example/x.png"}},
        }
    )
    assert addresses(tree) == ["https://a.example/x.png"]
    with pytest.raises(Refusal) as caught:
        again(tree, tmp_path)
    assert caught.value.code == "fetch"
    path = again(tree, tmp_path, pictures={"https://a.example/x.png": png(8)})
    assert pptx.Presentation(str(path)).slides[0].shapes[1].image.blob == png(8)


def deep(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"id": "x", "type": "container", "children": []}
    for _ in range(levels):
        node = {"id": "x", "type": "container", "children": [node]}
    return node


def cyclic() -> dict[str, Any]:
    return {
        "id": "a",
        "pid": "a",
        "type": "container",
        "children": [{"id": "a", "pid": "a", "type": "text", "children": []}],
    }


def with_node(node: Any) -> Any:
    return {**MINIMAL, "pages": [{"page": 1, "extInfo": {}, "children": [node]}]}


def with_raw(xml: str) -> Any:
    return with_node({"id": "x", "type": "text", "extInfo": {"property": {}, "raw": {"xml": xml, "seen": {}}}})


_ENTITY = (
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    '<p:sp xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main">&e;</p:sp>'
)


def with_property(kind: str, **said: Any) -> Any:
    return with_node({"type": kind, "extInfo": {"property": said}})


def with_part(**said: Any) -> Any:
    return {**MINIMAL, "raw": {"parts": [said]}}


HOSTILE: dict[str, tuple[Any, str]] = {
    "none": (None, "unreadable"),
    "list": ([], "unreadable"),
    "no pages": ({"version": "1.0"}, "unreadable"),
    "pages of text": ({"pages": ["x"]}, "unreadable"),
    "too many pages": ({"pages": [{}] * 501}, "too_large"),
    "too many nodes": (with_node({"type": "container", "children": [{"type": "text"}] * 60_001}), "too_large"),
    "too deep": (with_node(deep(100)), "too_large"),
    "entity": (with_raw(_ENTITY), "unreadable"),
    "other xml": (with_raw("<a/>"), "unreadable"),
    "broken xml": (with_raw("<p:sp"), "unreadable"),
    "no base64": (with_property("image", image="data:image/png;base64,!!!"), "unreadable"),
    "no picture": (with_property("image", image="data:image/png;base64,AAAA"), "unreadable"),
    "a file": (with_property("image", image="/etc/passwd"), "fetch"),
    "an address": (with_property("image", image="http://127.0.0.1/"), "fetch"),
    "chart of nothing": (with_property("graphicFrame", chart={"chartData": []}), "unreadable"),
    "part elsewhere": (with_part(name="/../../x", type="a/b", text=""), "unreadable"),
    "part of no type": (with_part(name="/x"), "unreadable"),
    "relations of text": (with_part(name="/x", type="a/b", text="", relations=["x"]), "unreadable"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_trees_are_refused(tmp_path: Path, what: str) -> None:
    tree, code = HOSTILE[what]
    with pytest.raises(Refusal) as caught:
        from_tree(tree, tmp_path / "a.pptx")
    assert caught.value.code == code


ODD: dict[str, Any] = {
    "empty": {"pages": []},
    "masters of text": {"pages": [{}], "slideMasters": "x"},
    "ids in a circle": with_node(cyclic()),
    "wrong types": with_node(
        {"id": 5, "type": "text", "point": ["a", None, {}, True],
         "children": [{"type": "p", "children": [{"type": "r", "text": 5}]}],
         "extInfo": {"property": {
             "fillStyle": 5, "strokeStyle": [], "geometry": "x", "rotation": "y", "textInsets": "z"}}}
    ),
    "numbers beyond": with_node(
        {"type": "text", "point": [1e308, -1e308, 1e400, 5], "extInfo": {"property": {"rotation": 1e300}}}
    ),
    "what xml cannot hold": with_node(
        {"type": "text", "children": [{"type": "p", "children": [{"type": "r", "text": "a\x00\x0b\ud800b\ufffe"}]}]}
    ),
    "unknown": with_node({"type": "hologram", "children": 5}),
    "not drawn": with_node({"type": "text", "noDraw": True}),
    "table without rows": with_node({"type": "table", "extInfo": {"property": {}}}),
    "spans beyond": with_node(
        {"type": "table", "extInfo": {"property": {"columnWidth": [10, 10]}},
         "children": [{"type": "tableRow", "children": [
             {"type": "tableColumn", "extInfo": {"rowSpan": 99, "gridSpan": 99}, "children": []}]}]}
    ),
    "link to a file": with_node(
        {"type": "text", "children": [{"type": "p", "children": [
            {"type": "r", "text": "x", "extInfo": {"property": {"hyperlink": "file:///etc/passwd"}}}]}]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ODD)
def test_odd_trees_are_decks_all_the_same(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.pptx"
    from_tree(ODD[what], path)
    show = pptx.Presentation(str(path))
    assert len(show.slides) == len(ODD[what]["pages"])
    with zipfile.ZipFile(path) as archive:
        assert not any(b"/etc/passwd" in archive.read(name) for name in archive.namelist())


def test_links_to_files_elsewhere_and_macros_are_left_out(tmp_path: Path) -> None:
    content = rich()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        relations = archive.read("ppt/slides/_rels/slide1.xml.rels").decode()
    outside = (
        '<Relationship Id="rId99" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" '
        'Target="http://127.0.0.1:9/x.png" TargetMode="External"/></Relationships>'
    )
    path = tmp_path / "a.pptx"
    path.write_bytes(
        files.changed(
            content,
            {
                "ppt/slides/_rels/slide1.xml.rels": relations.replace("</Relationships>", outside),
                "ppt/vbaProject.bin": b"\xd0\xcf\x11\xe0",
            },
        )
    )
    tree = to_tree(path)
    assert "127.0.0.1" not in json.dumps(tree)
    tree["pages"][0]["extInfo"]["raw"]["relations"].append(["rId98", "x/image", "http://127.0.0.1:9/y.png", True])
    tree["raw"]["parts"].append(
        {"name": "/ppt/vbaProject.bin", "type": "application/vnd.ms-office.vbaProject", "data": "AAAA"}
    )
    with zipfile.ZipFile(again(tree, tmp_path)) as archive:
        assert not any("vba" in name.lower() for name in archive.namelist())
        assert not any(b"127.0.0.1" in archive.read(name) for name in archive.namelist())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "unreadable"),
        (b"x" * 100, "unreadable"),
        (files.word(), "unreadable"),
        (files.slides()[:5000], "unreadable"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "password"),
        (files.changed(files.slides(), {"ppt/slides/slide1.xml": b"<x/>"}), "unreadable"),
        (files.changed(files.slides(), {"ppt/presentation.xml": b"<x/>"}), "unreadable"),
        (files.changed(files.slides(), {"ppt/media/zeros.bin": bytes(300 * 2**20)}), "too_large"),
    ],
    ids=["empty", "noise", "word", "cut", "locked", "spoiled slide", "spoiled presentation", "bomb"],
)
def test_what_is_no_presentation_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "a.pptx"
    path.write_bytes(content)
    with pytest.raises(Refusal) as caught:
        to_tree(path)
    assert caught.value.code == code


async def test_the_job_converts_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    jobs = Jobs(tmp_path, tmp_path)
    jobs.start()
    try:
        asked = {"task": "convert"}
        there = await jobs.wait(await jobs.submit(work.__name__, asked, files={"deck.pptx": rich()}))
        assert (there.state, there.result) == (JobState.DONE, {"pages": 3})
        tree = there.file("tree.json").read_bytes()
        back = await jobs.wait(await jobs.submit(work.__name__, {"task": "build"}, files={"tree": tree}))
        assert (back.state, back.result) == (JobState.DONE, {"pages": 3})
        assert json.loads(tree)["pages"] == to_tree(back.file("deck.pptx"))["pages"]
        for task, file, content in (
            ("convert", "deck.pptx", b"x"),
            ("build", "tree", b"{"),
            ("build", "tree", b"[" * 100_000),
            ("build", "tree", b'{"pages": []}'),
        ):
            failed = await jobs.wait(await jobs.submit(work.__name__, {"task": task}, files={file: content}))
            assert (failed.state, failed.code) == (JobState.FAILED, "unreadable")
    finally:
        await jobs.close()


def test_the_sample_is_what_pptxgenjs_made() -> None:
    with zipfile.ZipFile(PPTXGENJS) as archive:
        assert b"PptxGenJS" in archive.read("docProps/app.xml") + archive.read("docProps/core.xml")
