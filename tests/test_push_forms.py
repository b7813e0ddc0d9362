"""The forms of a push: letters, nesting, arguments, and any bytes at all."""

import json
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients import wechat_json, wechat_xml
from clients.wechat_crypto import PushCodec, PushRejected
from tests.pushes import NOW, TEXT, new_codec, plain_query, push, sealed_query

PLAIN = new_codec(mode="plain", keys=[])


def refused(codec: PushCodec, query: str, body: bytes) -> str:
    """The reason of the refusal."""
    with pytest.raises(PushRejected) as no:
        codec.open(query, body, NOW)
    return no.value.reason


@pytest.mark.parametrize("form", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "latin-1"])
def test_letters_that_are_not_utf_8_are_refused_whatever_they_declare(form: str) -> None:
    text = f'<?xml version="1.0" encoding="{form}"?>' + TEXT.replace("帮助", "ÿé")
    assert refused(PLAIN, plain_query(), text.encode(form)) == "form"


def test_an_xml_declaration_and_ordinary_entities_are_understood() -> None:
    text = '<?xml version="1.0" encoding="utf-8"?>\n' + TEXT.replace("<![CDATA[帮助]]>", "a&amp;b &#20320;")
    assert PLAIN.open(plain_query(), text.encode(), NOW).heard.content == "a&b 你"


def test_sixty_thousand_bytes_of_anything_take_no_time() -> None:
    deep = "<xml>" + "<a>" * 20000
    wide = "<xml>" + "<a/>" * 16000 + "</xml>"
    many = "<xml>" + "<a><b/></a>" * 5900 + "</xml>"
    begun = perf_counter()
    for text in (deep, wide, many):
        refused(PLAIN, plain_query(), text.encode())
    assert perf_counter() - begun < 1.0, "measured: 60 ms together"


def test_nested_parts_keep_their_path_and_number() -> None:
    event = "<xml><A><List><T>1</T></List><List><T>2</T><U> </U></List></A><B>x</B><B>y</B><C><D/></C><C>z</C></xml>"
    assert wechat_xml.read(event.encode()) == {
        "A.List.T": "1",
        "A.List#2.T": "2",
        "A.List#2.U": " ",
        "B": "x",
        "B#2": "y",
        "C.D": "",
        "C#2": "z",
    }
    same = {"A": {"List": [{"T": "1"}, {"T": "2", "U": " "}]}, "B": ["x", "y"]}
    assert list(wechat_json.read(json.dumps(same).encode())) == ["A.List.T", "A.List#2.T", "A.List#2.U", "B", "B#2"]


ARGUMENTS = [
    "",
    "&",
    "timestamp",
    "timestamp=1767225600",
    plain_query() + "&nonce=42",
    plain_query() + "&nonce=43",
    plain_query() + "&nonce=",
    plain_query() + "&",
    plain_query() + "&timestamp[]=1",
    plain_query() + "&%6eonce=42",
    plain_query() + "&signature=" + "a" * 40,
    plain_query().replace("nonce=42", "nonce="),
    plain_query().replace("nonce=42", "nonce=4%202"),
    plain_query().replace("nonce=42", "nonce=4+2"),
    plain_query().replace("nonce=42", "nonce=%ff"),
    plain_query().replace("nonce=42", "nonce=42%0a"),
    plain_query().replace("nonce=42", "nonce[]=42"),
    plain_query().replace("nonce=42", "nonce=" + "4" * 65),
    plain_query().replace(f"={NOW}", f"={NOW}%0a"),
    plain_query().replace(f"={NOW}", "=１７６７２２５６００"),
    plain_query().replace(f"={NOW}", f"=0{NOW}"),
    plain_query().replace(f"={NOW}", f"=+{NOW}"),
    plain_query().replace(f"={NOW}", "=1767225600.0"),
    plain_query().upper(),
    plain_query().replace("signature=", "signature=0"),
    plain_query().replace("signature=", "signature=%00"),
    plain_query() + "&openid=",
    plain_query() + "&openid=%3Cb%3E",
    plain_query() + "&encrypt_type=des",
    plain_query() + "&x=" + "y" * 2048,
]


@pytest.mark.parametrize("query", ARGUMENTS)
def test_each_argument_stands_once_and_has_its_shape(query: str) -> None:
    assert refused(PLAIN, query, TEXT.encode()) == "arguments"


def test_a_signature_in_capitals_or_of_another_length_is_refused() -> None:
    right, body = push()
    signed = right.rpartition("=")[2]
    for wrong in (signed.upper(), signed[:-1], signed + "0", "", " " + signed):
        if wrong != signed:
            assert refused(new_codec(), right.replace(signed, wrong), body) == "arguments"


def test_an_argument_nobody_knows_is_ignored() -> None:
    assert PLAIN.open(plain_query() + "&scene=1", TEXT.encode(), NOW)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), st.binary(max_size=400))
def test_no_bytes_raise_anything_but_the_refusal(query: str, body: bytes) -> None:
    for codec in (new_codec(), PLAIN, new_codec(mode="compatible")):
        for asked in (query, plain_query(), sealed_query("A" * 64)):
            try:
                codec.open(asked, body, NOW)
            except PushRejected:
                continue


PIECES = ["<a>", "</a>", "<b>", "</b>", "<a/>", "<a >", "<é>", "<!--", "-->", "<![CDATA[", "]]>", "]", ">", "x"]
LETTERS = ["&amp;", "&lt", *" \n\r\t\x00\x08\x0b\x7f\x85\xa0中\u2028\ud7ff\ufffe\uffff😀"]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=6).map(lambda text: f"<a>{text}</a>"),
            st.text(max_size=6).map(lambda text: f"<b><![CDATA[{text}]]></b>"),
            st.sampled_from(PIECES + LETTERS),
        ),
        max_size=6,
    )
)
def test_the_quick_reader_reads_what_expat_reads_or_nothing(pieces: list[str]) -> None:
    xml = f"<xml>{''.join(pieces)}</xml>".encode("utf-8", "surrogatepass")
    if (quick := wechat_xml.read_flat(xml)) is not None:
        assert wechat_xml.read_any(xml) == quick


def test_the_quick_reader_reads_the_usual_message() -> None:
    assert wechat_xml.read_flat(TEXT.encode())
