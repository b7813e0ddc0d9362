"""Pushes to the account's callback address, in the real wire form of each mode, with real impatience."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest
from tornado.httputil import url_concat
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from sandbox.wechat_account import WeChatAccount
from sandbox.wechat_chat import OUT_OF_SERVICE
from sandbox.wechat_crypto import MessageCipher, signature
from sandbox.wechat_replies import Malformed, Reply, read_reply
from sandbox.wechat_xml import write_xml
from sandbox.world import SandboxPerson

SILENT = {"unsubscribe", "TEMPLATESENDJOBFINISH", "VIEW", "user_authorization_cancellation"}
"""Events after which the person sees no reply, and no complaint when there is none."""


@dataclass
class Try:
    """One request of a push; status 0 is no answer in time."""

    status: int
    body: bytes = b""


@dataclass
class Delivery:
    """What became of one push."""

    person: SandboxPerson
    fields: dict[str, Any]
    bend: str = ""
    tries: list[Try] = field(default_factory=list)
    reply: Reply | None = None
    malformed: str = ""
    held: bool = False

    @property
    def answered(self) -> bool:
        """Whether the bot took it."""
        return any(one.status == 200 for one in self.tries) and not self.malformed


class Pushes:
    """Sends pushes of one account; what was held back by the reordered switch goes with the next one."""

    def __init__(self, account: WeChatAccount) -> None:
        self.account = account
        self.world = account.world
        self.deliveries: list[Delivery] = []
        self._held: list[Delivery] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._client: AsyncHTTPClient | None = None

    async def send(self, person: SandboxPerson, fields: dict[str, Any], *, bend: str = "") -> Delivery:
        """Push these fields (MsgType and its own) and show the reply in the chat.

        `bend` makes a push that must be refused: one of the outgoing fault kinds.
        """
        now = int(self.world.now())
        head = {"ToUserName": self.account.settings.gh_id, "FromUserName": self.account.openid(person)}
        full = head | {"CreateTime": now} | fields
        if fields["MsgType"] != "event":
            full.setdefault("MsgId", self.world.random.randrange(10**18, 9 * 10**18))
        fault = self.world.faults.take("wechat", self._operation(full), outgoing=True)
        return await self._route(Delivery(person, full, bend or (fault.kind if fault else "")))

    async def send_again(self, delivery: Delivery) -> Delivery:
        """The same message once more, with its first MsgId and CreateTime."""
        return await self._route(Delivery(delivery.person, dict(delivery.fields)))

    def later(self, person: SandboxPerson, event: str, fields: dict[str, Any]) -> None:
        """Push an event after the current call; `settle` waits for it."""
        task = asyncio.ensure_future(self.send(person, {"MsgType": "event", "Event": event} | fields))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until nothing is on its way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def flush(self) -> None:
        """Deliver what the reordered switch holds back, the newest first."""
        while self._held:
            held = self._held.pop()
            held.held = False
            await self._deliver(held)

    async def verify_url(self) -> str:
        """The console's GET with echostr: empty when the bot is right, else what was wrong."""
        echo = str(self.world.random.randrange(10**15, 10**16))
        query = self._query() | {"echostr": echo}
        answer = await self._fetch(url_concat(self.account.settings.callback_url, query), "verify")
        if answer.status != 200:
            return f"status {answer.status}"
        return "" if answer.body == echo.encode() else "the answer is not exactly the echostr"

    async def verify_domain(self, base_url: str, name: str) -> str:
        """The console's check of `MP_verify_<name>.txt`: empty when it is there with the right words."""
        answer = await self._fetch(f"{base_url}/MP_verify_{name}.txt", "verify_domain")
        if answer.status != 200:
            return f"status {answer.status}"
        return "" if answer.body.decode(errors="replace").strip() == name else "the file says something else"

    async def stop(self) -> None:
        """Give up what is on its way."""
        for task in set(self._tasks):
            task.cancel()
        if self._client:
            self._client.close()

    async def _route(self, delivery: Delivery) -> Delivery:
        self.deliveries = [*self.deliveries[-499:], delivery]
        if delivery.bend == "reordered" and not self._held:
            delivery.held = True
            self._held.append(delivery)
            return delivery
        await self._deliver(delivery)
        await self.flush()
        return delivery

    async def _deliver(self, delivery: Delivery) -> None:
        if not self.account.settings.callback_url:
            self._show(delivery, "system", "还没有设置回调地址，消息没有送出")
            return
        if delivery.bend == "doubled":
            delivery.tries += await asyncio.gather(self._try(delivery), self._try(delivery))
        else:
            await self._try_until_answered(delivery)
        self._read(delivery)

    async def _try_until_answered(self, delivery: Delivery) -> None:
        settings = self.account.settings
        for number in range(settings.resend_times):
            if number:
                await asyncio.sleep(settings.resend_seconds)
            delivery.tries.append(await self._try(delivery))
            if delivery.tries[-1].status == 200:
                return

    def _read(self, delivery: Delivery) -> None:
        answered = [one for one in delivery.tries if one.status == 200]
        silent = delivery.fields.get("Event") in SILENT
        if not answered:
            return None if silent else self._show(delivery, "system", OUT_OF_SERVICE)
        try:
            openid = self.account.openid(delivery.person)
            delivery.reply = read_reply(self.account, openid, answered[0].body)
        except Malformed as fault:
            delivery.malformed = str(fault)
            return None if silent else self._show(delivery, "system", OUT_OF_SERVICE)
        if delivery.reply and self.account.chats.fan(delivery.person).follows:
            self._show(delivery, "account", delivery.reply.text)
        return None

    def _show(self, delivery: Delivery, sender: str, text: str) -> None:
        reply = delivery.reply
        kind, more = (reply.kind, reply.fields) if reply else ("text", {"malformed": delivery.malformed})
        self.account.chats.add(delivery.person, sender, kind, text, via="passive", more=more)

    async def _try(self, delivery: Delivery) -> Try:
        query, body = self._wire(delivery)
        url = url_concat(self.account.settings.callback_url, query)
        return await self._fetch(url, self._operation(delivery.fields), body=body, bend=delivery.bend)

    def _wire(self, delivery: Delivery) -> tuple[dict[str, str], str]:
        """Query and body of one request; signed anew each time."""
        mode, bend = self.account.settings.mode, delivery.bend
        query = self._query(age=3600 if bend == "old_timestamp" else 0)
        query["openid"] = self.account.openid(delivery.person)
        fields = delivery.fields
        if mode != "plain":
            sealed = self._seal(self._write(fields), bend)
            parts = (self.account.settings.token, query["timestamp"], query["nonce"], sealed)
            query |= {"encrypt_type": "aes", "msg_signature": signature(*parts)}
            outer = fields if mode == "compatible" else {"ToUserName": fields["ToUserName"]}
            fields = outer | {"Encrypt": sealed}
        if bend == "wrong_signature":
            query |= {name: "0" * 40 for name in ("signature", "msg_signature") if name in query}
        return query, self._write(fields)

    def _query(self, *, age: int = 0) -> dict[str, str]:
        timestamp = str(int(self.world.now()) - age)
        nonce = str(self.world.random.randrange(10**8, 10**10))
        signed = signature(self.account.settings.token, timestamp, nonce)
        return {"signature": signed, "timestamp": timestamp, "nonce": nonce}

    def _seal(self, text: str, bend: str) -> str:
        cipher = MessageCipher(self.account.settings.aes_keys[0], self.account.app_id)
        salt = self.world.new_id("", 64).encode()
        app_id = "wx0000000000000000" if bend == "wrong_appid" else None
        return cipher.encrypt(text, salt=salt, app_id=app_id, pad=0 if bend == "bad_padding" else None)

    def _write(self, fields: dict[str, Any]) -> str:
        if self.account.settings.body_format == "json":
            return json.dumps(fields, ensure_ascii=False)
        return write_xml(fields)

    @staticmethod
    def _operation(fields: dict[str, Any]) -> str:
        return "push." + (fields["Event"] if fields["MsgType"] == "event" else fields["MsgType"])

    async def _fetch(self, url: str, operation: str, *, body: str | None = None, bend: str = "") -> Try:
        self._client = self._client or SimpleAsyncHTTPClient(force_instance=True, max_clients=100)
        seconds = self.account.settings.answer_seconds
        request = HTTPRequest(url, method="POST" if body is not None else "GET", body=body)
        request.headers["Content-Type"] = "text/xml" if body and body.startswith("<") else "application/json"
        request.headers["User-Agent"] = "Mozilla/4.0"
        request.connect_timeout = request.request_timeout = seconds
        request.follow_redirects = False
        try:
            answer = await self._client.fetch(request, raise_error=False)
            result = Try(answer.code if answer.code != 599 else 0, answer.body or b"")
        except (HTTPError, OSError):
            result = Try(0)
        self._journal(request, operation, bend, result)
        return result

    def _journal(self, request: HTTPRequest, operation: str, bend: str, result: Try) -> None:
        asked = {"operation": operation, "method": request.method, "path": request.url, "fault": bend}
        told = {"status": result.status, "response": result.body.decode(errors="replace")}
        sent = (request.body or b"").decode(errors="replace")
        self.world.journal.add(at=self.world.now(), side="wechat", direction="out", request=sent, **asked, **told)
