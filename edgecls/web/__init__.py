"""A small web server for the pages of edgecls; it knows nothing of frames, labels and models.

An app says what there is; a server serves it, and lets in only who may look:

    app = WebApp("collect", Path(__file__).parent / "static")   # its files, and the shared ones
    events = app.add_feed("/events", Channel(hello=lambda: [("state", {...})]))
    frames = FrameStream()
    app.add_feed("/frames", frames.pages)
    app.add_feed("/stream", frames.plain)
    app.add("GET", "/state", lambda request: Reply.of_json({...}))
    app.add("POST", "/keep", lambda request: keep(request.json()))
    with WebServer(app, open_access(Listen.parse("127.0.0.1:8080"))) as server:
        print(server.urls)
        frames.offer(lambda: Shown(jpeg, {"frame": 17}))        # from any thread
        events.send("count", {"cat": 3})                        # from any thread

What an app can count on:

- A handler is called with a `Request` in one of a few worker threads and returns a `Reply`. It may
  block (a disk) for a while. `request.query` and `request.json()` are checked for form only.
  What it raises as `EdgeclsError` is answered with 400 and `{"error", "hint"}`, anything else with
  500; the server lives on.
- Paths are exact. There are no patterns and no files looked for at request time: every page, file,
  handler and feed is in one table made at the start, and whatever is not in it (`..`, `%2e`, `//`)
  is a 404. What a page asks for by number or name goes into the query: `/picture?id=17`.
- What changes something is POST, with a body of JSON of at most 256 KiB. GET changes nothing.
- Before anything of this is looked at, the server has checked the `Host` header, the `Origin` of
  whatever is not GET, and, on any address but loopback, the token (or the cookie that it bought).
- Every reply forbids storing, framing, sniffing, and any script or style that is not a file of this
  server: no inline `<script>`, `<style>` or `style=""` (setting `element.style.width` is allowed).
- Connections, headers, bodies and times are bounded (`edgecls.web.limits`). A connection that says
  nothing holds no thread; a viewer that takes nothing for 10 seconds is dropped.

`Channel` sends events to pages (server-sent events), `FrameStream` frames: to pages each picture
together with what is said of it, to other programs pictures alone (MJPEG). Both do nothing while
nobody looks: ask `is_watched` before making something costly.

Shared files of the pages, served at `/` beside the app's own: `style.css`, `dom.js` (elements made
of text, never of markup), `live.js` (events and frames, which come back by themselves; POST),
`icon.svg`, and the page for the token, `login.html`. An app's `index.html` is its `/`.
"""

from edgecls.web.access import Access, open_access
from edgecls.web.app import WebApp
from edgecls.web.feeds import Channel
from edgecls.web.frames import FrameStream, Shown
from edgecls.web.listen import Listen
from edgecls.web.message import Reply, Request, take, take_texts
from edgecls.web.server import WebServer

__all__ = [
    "Access",
    "Channel",
    "FrameStream",
    "Listen",
    "Reply",
    "Request",
    "Shown",
    "WebApp",
    "WebServer",
    "open_access",
    "take",
    "take_texts",
]
