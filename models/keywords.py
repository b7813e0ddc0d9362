"""What operators have the account say to words of their own."""

import unicodedata

from peewee import CharField, TextField

from models.base import Row, UtcField
from models.errors import WrongInput

WORD_MOST, TEXT_MOST, REPLY_BYTES = 32, 600, 2048
NEVER = {"Cc", "Cs"}  # control characters, and halves of others


class KeywordReply(Row):
    """关键词回复: `word` as the chat compares messages, and what is answered to it; links are allowed."""

    word = CharField(max_length=WORD_MOST, unique=True)
    text = TextField()
    added_at = UtcField()
    added_by = CharField(max_length=64)


def check_word(word: str) -> None:
    """Raise unless a message can be this word."""
    if not 1 <= len(word) <= WORD_MOST or any(unicodedata.category(letter) in NEVER for letter in word):
        raise WrongInput(what=f"a keyword has 1 to {WORD_MOST} letters, blanks and punctuation aside")


def check_text(text: str) -> None:
    """Raise unless WeChat takes it as one reply, and shows it as it stands here."""
    if not text.strip() or len(text) > TEXT_MOST or len(text.encode(errors="replace")) > REPLY_BYTES:
        raise WrongInput(what=f"a reply has 1 to {TEXT_MOST} characters, and at most {REPLY_BYTES} bytes")
    if any(unicodedata.category(letter) in NEVER for letter in text if letter != "\n"):
        raise WrongInput(what="a reply has no control characters; only line breaks are allowed")
