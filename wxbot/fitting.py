"""How a text fits into the chat: names that make no link, links, and the bytes that WeChat takes."""

NAME_MARKS = {"<": "＜", ">": "＞", "&": "＆", ":": "：", "/": "／"}
REPLY_BYTES = 2048


def name_of(account: str) -> str:
    """A planet account's name as the chat shows it: it is its owner's own text, and must not make a link."""
    shown = "".join(NAME_MARKS.get(letter, letter) for letter in account if letter.isprintable())
    return f"「{shown}」" if shown.strip() else ""


def link_to(url: str, text: str) -> str:
    """A link as the chat shows it."""
    return f'<a href="{url}">{text}</a>'


def fit(text: str, room: int = REPLY_BYTES) -> str:
    """Cut to so many bytes (what WeChat takes as one reply), at the end of a line."""
    lines = text.split("\n")
    while len("\n".join(lines).encode()) > room and len(lines) > 1:
        lines.pop()
    return "\n".join(lines)


def in_front(held: list[str], said: str) -> list[str]:
    """The held texts that fit before what is said, with an empty line after each; a long first one is cut."""
    shown: list[str] = []
    room = REPLY_BYTES - len(said.encode())
    for text in held:
        cut = text if shown or room < REPLY_BYTES // 2 else fit(text, room - 2)
        if len(cut.encode()) + 2 > room:
            break
        shown.append(cut)
        room -= len(cut.encode()) + 2
    return shown
