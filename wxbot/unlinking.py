"""解绑 in the chat: what it means, which link is meant, and 确认解绑 within five minutes."""

from models.links import Link
from models.people import Identity
from services import links, questions
from services.env import Env
from wxbot import words

UNLINK = "unlink"
CHOOSE = "unlink_choice"


def links_of(openid: str) -> tuple[Identity | None, list[Link]]:
    """Who writes, and his links."""
    identity = Identity.of_openid(openid)
    return identity, links.active_links(identity.person_id) if identity else []


def ask(env: Env, openid: str) -> str:
    """解绑: say what it means, or ask which link is meant."""
    identity, mine = links_of(openid)
    if not mine:
        return words.nothing_to_unlink()
    if len(mine) == 1:
        questions.ask(env, identity=identity, topic=UNLINK, choices=[mine[0].id])
        return words.unlink_means(mine[0].display_name)
    questions.ask(env, identity=identity, topic=CHOOSE, choices=[link.id for link in mine])
    return words.choose_link([link.display_name for link in mine])


def choose(env: Env, openid: str, number: int) -> str | None:
    """A number after the list: say what unlinking that one means; None when no list was shown."""
    identity, mine = links_of(openid)
    choices = questions.choices_of(env, identity=identity, topic=CHOOSE) if identity else []
    if not choices:
        return None
    if not 1 <= number <= len(choices):
        return words.wrong_number(len(choices))
    chosen = [link for link in mine if link.id == choices[number - 1]]
    if not chosen:
        return words.question_over()
    questions.ask(env, identity=identity, topic=UNLINK, choices=[chosen[0].id])
    return words.unlink_means(chosen[0].display_name)


def confirm(env: Env, openid: str) -> str:
    """确认解绑: do it, if it was asked for within five minutes."""
    identity, mine = links_of(openid)
    if not mine:
        return words.nothing_to_unlink()
    choices = questions.take(env, identity=identity, topic=UNLINK)
    chosen = [link for link in mine if link.id in choices]
    if not chosen:
        return words.question_over()
    who = f"person:{identity.person_id}"
    links.unlink(env, link_id=chosen[0].id, person_id=identity.person_id, who=who, reason="chat")
    return words.unlinked(chosen[0].display_name)
