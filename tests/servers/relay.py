"""A door in front of a server that can be shut: what a client sees of a server that is down, with its data kept.

While the door is shut, connections are refused and open ones are cut, also in the middle of an exchange.
"""

import contextlib
import socket
import threading


def reserve_port():
    """Binds a free loopback port without listening: it stays ours, and connecting to it is refused."""
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reservation.bind(("127.0.0.1", 0))
    return reservation


def listen_on(port):
    """Listens on a port that `reserve_port` holds."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


class Relay:
    """Forwards connections from an own port to `target_port` while it is open."""

    def __init__(self, target_port):
        self._target_port = target_port
        self._reservation = reserve_port()
        self.port = self._reservation.getsockname()[1]
        self._lock = threading.Lock()
        self._listener = None
        self._connections = set()
        self.open()

    def open(self):
        """Accepts connections. Does nothing where it does so already."""
        with self._lock:
            if self._listener is None:
                self._listener = listen_on(self.port)
                threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self):
        """Refuses connections and cuts open ones. Does nothing where it is shut."""
        with self._lock:
            listener, self._listener = self._listener, None
            connections, self._connections = self._connections, set()
        if listener is not None:
            _cut(listener)
        for connection in connections:
            _cut(connection)

    def close(self):
        """Shuts for good and gives the port back."""
        self.shut()
        self._reservation.close()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # shut
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:  # the server itself is away: so are we
                client.close()
                continue
            with self._lock:
                shut = self._listener is not listener
                if not shut:
                    self._connections |= {client, server}
            if shut:
                _cut(client)
                _cut(server)
                continue
            for source, sink in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source, sink):
        with contextlib.suppress(OSError):
            while received := source.recv(65536):
                sink.sendall(received)
        _cut(source)
        _cut(sink)
        with self._lock:
            self._connections -= {source, sink}


def _cut(connection):
    """Ends a connection, also under a thread that waits in it, which closing alone would not wake."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
