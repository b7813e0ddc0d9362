"""In the log the code of a refusal is a fact, and the code of a sign-in a secret, though both are called `code`."""

import pytest

from wxbot import logs


@pytest.mark.parametrize("code", ["already_linked", "40001", 40164, "-1", "http_405", "cut", "not_signed_in"])
def test_the_code_of_a_refusal_is_told(code):
    assert logs.redact(None, "", {"event": "refused", "code": code})["code"] == code


@pytest.mark.parametrize("code", ["061Ab2ll2mFqLg4Kz5nl2zx", "0123456789abcdef", "123456", "ABCDEF", "a" * 32])
def test_the_code_of_a_sign_in_is_hidden(code):
    assert logs.redact(None, "", {"event": "told", "code": code})["code"] == logs.HIDDEN
