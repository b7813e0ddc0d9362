"""The JS-SDK's signature, for pages of ours only: signed for foreign ones it would lend them our name."""

import hashlib


class ForeignPage(ValueError):
    """Asked to sign a page that is not ours."""


def js_signature(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """SHA-1 as WeChat wants it: fixed order, nothing encoded, the address as the browser sees it without `#…`."""
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def own_page(url: str, base_url: str) -> str:
    """`url` without its fragment; ForeignPage unless it lies under `base_url` (which has no slash at the end)."""
    page = url.partition("#")[0]
    if not page.isprintable() or not (page == base_url or page.startswith((f"{base_url}/", f"{base_url}?"))):
        raise ForeignPage
    return page
