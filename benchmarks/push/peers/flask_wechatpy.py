"""wechatpy on Flask, as wechatpy's documentation shows it; served by gunicorn."""

import os

from flask import Flask, abort, request
from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidAppIdException, InvalidSignatureException
from wechatpy.utils import check_signature

TOKEN, AES_KEY, APP_ID, HELP = (os.environ[name] for name in ("TOKEN", "AES_KEY", "APP_ID", "HELP"))
app = Flask(__name__)


@app.route("/wx/push", methods=["GET", "POST"])
def push() -> str:
    """One message, sealed, and its reply."""
    given = request.args
    try:
        check_signature(TOKEN, given["signature"], given["timestamp"], given["nonce"])
    except InvalidSignatureException:
        abort(403)
    crypto = WeChatCrypto(TOKEN, AES_KEY, APP_ID)
    try:
        text = crypto.decrypt_message(request.data, given["msg_signature"], given["timestamp"], given["nonce"])
    except (InvalidSignatureException, InvalidAppIdException):
        abort(403)
    reply = create_reply(HELP, message=parse_message(text))
    return crypto.encrypt_message(reply.render(), given["nonce"], given["timestamp"])
