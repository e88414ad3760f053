"""What the browser may do on the page: run its own scripts, and nothing that a record brought.

Argilla 2.8 writes text fields and chat bubbles into the page as HTML, so a record with
`<img onerror=…>` runs code as whoever looks at it. prefkit sends its records without markup; this
policy holds for records that came another way. It also keeps the page from fetching fonts or
pictures from elsewhere.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders

Message = MutableMapping[str, Any]  # ASGI's own types
Send = Callable[[Message], Awaitable[None]]
App = Callable[..., Awaitable[None]]

INLINE = re.compile(rb"<script(?:\s[^>]*)?>(.+?)</script>", re.DOTALL)
POLICY = (
    "default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def policy(pages: Path) -> str:
    """The content security policy that lets the inline scripts of these HTML pages run."""
    scripts = {
        script for page in pages.rglob("*.html") for script in INLINE.findall(page.read_bytes())
    }
    hashes = sorted(base64.b64encode(hashlib.sha256(script).digest()) for script in scripts)
    return POLICY.format(scripts=" ".join(f"'sha256-{value.decode()}'" for value in hashes))


class SafeHeaders:
    """ASGI middleware: every answer says what a browser may do with it."""

    def __init__(self, app: App, pages: Path) -> None:
        self.app = app
        self._headers = {
            "Content-Security-Policy": policy(pages),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }

    async def __call__(self, scope: Message, receive: App, send: Send) -> None:
        """Pass a request on; add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self.app(scope, receive, send_with_headers)
