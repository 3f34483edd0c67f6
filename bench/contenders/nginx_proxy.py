"""A bare nginx reverse proxy: two workers, kept-alive upstream connections, no log; the pace of C on this machine."""

from __future__ import annotations

from bench.contenders.base import Contender
from bench.process import free_port
from bench.upstreams.nginx import nginx_version, start_nginx

SERVER = """
    upstream answering {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://answering;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
"""


class NginxProxy(Contender):
    name = "nginx-proxy"
    does = "relays; no check, no meter, no log"

    def install(self) -> str:
        return nginx_version()

    def start(self, upstream: int) -> None:
        self.port = free_port()
        self.child = start_nginx(self.name, SERVER.format(upstream=upstream, port=self.port), self.port, workers=2)
