"""关键词回复: an operator's own words; each process holds them in memory, for the hot path of the chat."""

from collections.abc import Mapping
from types import MappingProxyType

from models import audit
from models.errors import WrongInput
from models.keywords import KeywordReply, check_text, check_word
from services import catalogue, vocabulary
from services.env import Env


def put(env: Env, *, word: str, text: str, who: str = "command") -> str:
    """Answer `word` by `text` from now on; what was answered before, or nothing.

    Raises WrongInput for a word that the account understands by itself: it would never be answered by this.
    """
    said = vocabulary.plain(word)
    if topic := vocabulary.known(said):
        raise WrongInput(what=f"{said or word!r} is a word of our own already ({topic}): take another")
    check_word(said)
    check_text(text)
    row = KeywordReply.get_or_none(word=said)
    old = row.text if row else ""
    if old != text:
        row = row or KeywordReply(word=said)
        row.text, row.added_at, row.added_by = text, env.now, who
        row.save()
        note(env, who=who, action="keyword set", word=said, old=old, new=text)
    return old


def remove(env: Env, *, word: str, who: str = "command") -> None:
    """Forget a word; raises WrongInput for one that is not there."""
    row = KeywordReply.get_or_none(word=vocabulary.plain(word))
    if row is None:
        raise WrongInput(what=f"there is no keyword {word}")
    row.delete_instance()
    note(env, who=who, action="keyword remove", word=row.word, old=row.text, new="")


def note(env: Env, *, who: str, action: str, word: str, old: str, new: str) -> None:
    """Put a change on record, and let the running processes know: they look at the catalogue's number anyway."""
    audit.record(at=env.now, who=who, action=action, subject=f"keyword:{word}", old=old, new=new)
    catalogue.changed()


def listed(env: Env) -> list[KeywordReply]:
    """All of them, by word."""
    return list(KeywordReply.select().order_by(KeywordReply.word))


def texts(env: Env) -> Mapping[str, str]:
    """What is answered to which word, to be held in memory until the catalogue's number grows."""
    return MappingProxyType({row.word: row.text for row in KeywordReply.select()})
