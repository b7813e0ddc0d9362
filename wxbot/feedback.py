"""反馈 … in the chat: kept with thanks, under a number."""

from models.bounty import CHAT, LONGEST
from services import feedback, people
from services.env import Env
from services.vocabulary import report_in
from wxbot import words


def keep(env: Env, openid: str, text: str) -> str:
    """Keep what he reports, and say under which number."""
    reported = report_in(text)
    person = people.person_with_openid(env, openid)
    number = feedback.keep(env, person_id=person.id, text=reported, source=CHAT)
    return words.report_kept(number, is_cut=len(reported) > LONGEST, longest=LONGEST)
