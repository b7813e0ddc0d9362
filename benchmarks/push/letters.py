"""The pushes that are sent: safe mode, sealed by wechatpy as WeChat seals, each with an id of its own."""

import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tests.pushes import AES_KEY, APP_ID, TEXT, TOKEN, encrypt, envelope, sealed_query

MESSAGE = TEXT.replace("oUSER1", "{openid}").replace("1767225600", "{now}")
MESSAGE = MESSAGE.replace("25000000000000001", "{number}").replace("帮助", "{word}")
ACCOUNT = {"wechat_token": TOKEN, "wechat_app_id": APP_ID, "wechat_aes_keys": AES_KEY}
NUMBERS = count(time.time_ns())
STRANGER = "oBench0000000000000000000000"
CYCLE = """
local all, n = {}, 0
function init()
  local headers = {["Content-Type"] = "text/xml", ["User-Agent"] = "Mozilla/4.0", Pragma = "no-cache", Accept = "*/*"}
  for line in io.lines("%s") do
    local query, body = line:match("^(%%S+) (.*)$")
    all[#all + 1] = wrk.format("POST", "/wx/push?" .. query, headers, body)
  end
end
function request()
  n = n %% #all + 1
  return all[n]
end
"""


def letter(word: str, openid: str) -> str:
    """One push, as a line of query and body."""
    now, number = int(time.time()), next(NUMBERS)
    sealed = encrypt(MESSAGE.format(openid=openid, now=now, number=number, word=word))
    query = sealed_query(sealed, now, nonce=str(number)[-10:], openid=openid)
    return f"{in_order(query)} {envelope(sealed).decode().replace(chr(10), '')}"


def in_order(query: str) -> str:
    """The arguments in the order in which WeChat sends them."""
    given = dict(pair.split("=", 1) for pair in query.split("&"))
    names = ("signature", "timestamp", "nonce", "openid", "encrypt_type", "msg_signature")
    return "&".join(f"{name}={given[name]}" for name in names)


def script(file: Path, word: str, openids: Sequence[str], times: int) -> str:
    """For `wrk`: so many pushes with this word, one after the other, again and again; none older than ten minutes."""
    file.write_text("\n".join(letter(word, openids[number % len(openids)]) for number in range(times)), "utf-8")
    return CYCLE % file
