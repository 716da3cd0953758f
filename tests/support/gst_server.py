"""A real RTSP server, GStreamer's, for the system's Python, which has its bindings.

Run as `/usr/bin/python3 gst_server.py JSON`; prints its port when it serves. JSON is an object:
path -> {"launch": pipeline, "udp": bool, "login": [user, password], "digest": bool,
"watched": bool}.
A pipeline that begins with `appsrc` is fed with gray frames of 320x240 pixels, ten a second.
"""

import json
import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

FPS = 10
SIZE = (240, 320)


class Feed:
    """Gives an `appsrc` a frame of one gray whenever one is due: a camera that cannot be wound."""

    def __init__(self) -> None:
        self._due_s = time.monotonic()
        self._frame = bytes([166]) * (SIZE[0] * SIZE[1])

    def push(self, source: object, _length: int) -> None:
        """Called when it wants data."""
        self._due_s = max(self._due_s + 1 / FPS, time.monotonic())
        time.sleep(self._due_s - time.monotonic() if self._due_s > time.monotonic() else 0)
        source.emit("push-buffer", Gst.Buffer.new_wrapped(self._frame))


def feed(_factory: object, media: object) -> None:
    """Connect a feed where the pipeline has an `appsrc`."""
    source = media.get_element().get_child_by_name("feed")
    if source is not None:
        source.connect("need-data", Feed().push)


def make_factory(about: dict) -> object:
    """What serves one path."""
    caps = f"video/x-raw,format=GRAY8,width={SIZE[1]},height={SIZE[0]},framerate={FPS}/1"
    source = f"appsrc name=feed is-live=true format=time do-timestamp=true caps={caps}"
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {about['launch'].replace('appsrc', source)} )")
    factory.set_shared(True)
    factory.connect("media-configure", feed)
    if about.get("udp"):
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    if about.get("login"):
        allowed = GstRtspServer.RTSPPermissions()
        allowed.add_permission_for_role("viewer", "media.factory.access", True)
        allowed.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(allowed)
    return factory


def lock(server: object, about: dict) -> None:
    """Let in only who knows the password."""
    user, password = about["login"]
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth = GstRtspServer.RTSPAuth()
    if about.get("digest"):
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)


def watch(url: str) -> object:
    """A viewer that was there before: who comes now joins in between two keyframes."""
    viewer = Gst.parse_launch(
        f"rtspsrc location={url} protocols=tcp ! fakesink name=end signal-handoffs=1"
    )
    viewer.get_by_name("end").connect("handoff", lambda *_: watched.add(url))
    viewer.set_state(Gst.State.PLAYING)
    return viewer


def main() -> None:
    """Serve until the end of standard input."""
    served = json.loads(sys.argv[1])
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    for path, about in served.items():
        server.get_mount_points().add_factory(path, make_factory(about))
        if about.get("login"):
            lock(server, about)
    server.attach(None)
    base = f"rtsp://127.0.0.1:{server.get_bound_port()}"
    wanted = {base + path for path, about in served.items() if about.get("watched")}
    viewers.extend(watch(url) for url in wanted)
    loop = GLib.MainLoop()

    def tell() -> bool:
        if not wanted <= watched:
            return True
        print(server.get_bound_port(), flush=True)
        return False

    GLib.timeout_add(50, tell)
    GLib.io_add_watch(sys.stdin, GLib.IO_HUP | GLib.IO_IN, lambda *_: loop.quit())
    loop.run()


watched: set = set()
viewers: list = []
main()
