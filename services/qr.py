"""QR pictures of our own addresses: as SVG for pages, and as a poster with title for a pinned post."""

import io
from functools import lru_cache
from pathlib import Path

import qrcode
from PIL import Image, ImageDraw, ImageFont
from qrcode.image.svg import SvgPathImage

from models.errors import BusinessError

HINT = "请用微信扫码"
FONTS = [
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "C:/Windows/Fonts/msyh.ttc",
]
WIDE, TALL, CODE, MARGIN = 640, 800, 520, 60


class NoFont(BusinessError):
    """No font with Chinese letters on this machine; its text says the operator what to do."""

    code = "no_font"
    status = 503
    says = "暂时画不出 PNG 图片，请先下载 SVG。"

    def __str__(self) -> str:
        return "no Chinese font found: install fonts-noto-cjk, or ask for a .svg file"


@lru_cache(maxsize=256)
def svg(address: str) -> bytes:
    """The code alone, as SVG."""
    picture = qrcode.make(address, image_factory=SvgPathImage, border=2)
    out = io.BytesIO()
    picture.save(out)
    return out.getvalue()


@lru_cache(maxsize=256)
def png(address: str) -> bytes:
    """The code alone, as PNG."""
    out = io.BytesIO()
    qrcode.make(address, border=2).save(out, "PNG")
    return out.getvalue()


def poster_svg(address: str, title: str) -> bytes:
    """The code with its title and 请用微信扫码 under it."""
    code = svg(address).decode().split("?>", 1)[-1].strip()
    inner = code.replace("<svg ", f'<svg x="{MARGIN}" y="{MARGIN}" ', 1)
    inner = _sized(inner)
    words = "".join(
        f'<text x="{WIDE // 2}" y="{y}" font-size="{size}" text-anchor="middle" '
        f'font-family="sans-serif" fill="#1a1a1a">{_escaped(text)}</text>'
        for y, size, text in ((650, 40, title), (720, 30, HINT))
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{TALL}" viewBox="0 0 {WIDE} {TALL}">'
    paper = f'<rect width="{WIDE}" height="{TALL}" fill="#ffffff"/>'
    return f"{head}{paper}{inner}{words}</svg>".encode()


def _sized(svg_text: str) -> str:
    start, end = svg_text.index("<svg"), svg_text.index(">")
    tag = svg_text[start:end]
    kept = " ".join(part for part in tag.split(" ") if not part.startswith(("width=", "height=")))
    return f'{kept} width="{CODE}" height="{CODE}"{svg_text[end:]}'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def poster_png(address: str, title: str) -> bytes:
    """The same as PNG; raises NoFont where Chinese letters cannot be drawn."""
    path = next((font for font in FONTS if Path(font).is_file()), None)
    if path is None:
        raise NoFont
    paper = Image.new("RGB", (WIDE, TALL), "white")
    code = qrcode.make(address, border=2).get_image().convert("RGB").resize((CODE, CODE), Image.Resampling.NEAREST)
    paper.paste(code, (MARGIN, MARGIN))
    pen = ImageDraw.Draw(paper)
    for y, size, text in ((620, 40, title), (700, 30, HINT)):
        pen.text((WIDE // 2, y), text, font=ImageFont.truetype(path, size), anchor="ma", fill="#1a1a1a")
    out = io.BytesIO()
    paper.save(out, "PNG")
    return out.getvalue()


def terminal(address: str) -> str:
    """The code in blocks of text, for a terminal."""
    code = qrcode.QRCode(border=1)
    code.add_data(address)
    out = io.StringIO()
    code.print_ascii(out=out, invert=True)
    return out.getvalue()
