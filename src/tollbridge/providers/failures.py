"""What can go wrong between us and a provider's socket, and had the request left us by then?

    TransportError
    ├── ConnectError               no address, refused, unreachable, TLS or the proxy failed
    │   └── ConnectTimeoutError    not connected within `connect_timeout_s`
    ├── PoolTimeoutError           no connection came free in time, or too many wait already
    ├── FirstByteTimeoutError      no complete response head within `first_byte_timeout_s`
    ├── DeadlineExceededError      the call's deadline passed, at whatever stage
    ├── WriteStallError            the provider took no request bytes for `write_stall_timeout_s`
    ├── BrokenConnectionError      reset or end of file before the response head
    ├── TruncatedError             reset or end of file inside the response body
    ├── ProtocolError              the response is not valid HTTP/1.1, or its head is over a limit
    └── ResponseTooLargeError      the body is over the caller's limit

`written` is True once request bytes were handed to the socket. From then on the provider may have
done the work, whatever we saw of it: the outcome is unknown and the request is never re-sent here.
"""


class TransportError(Exception):
    """The root: a message without secrets, and whether request bytes had been handed over."""

    def __init__(self, message: str, *, written: bool) -> None:
        super().__init__(message)
        self.message = message
        self.written = written


class ConnectError(TransportError):
    """No connection could be made; nothing was written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, written=False)


class ConnectTimeoutError(ConnectError):
    """Name lookup, connect, proxy and TLS together took longer than `connect_timeout_s`."""


class PoolTimeoutError(TransportError):
    """No connection came free within `pool_timeout_s`, or `waiting_max` calls wait already."""

    def __init__(self, message: str) -> None:
        super().__init__(message, written=False)


class FirstByteTimeoutError(TransportError):
    """The request was written, but no complete response head came in time."""


class DeadlineExceededError(TransportError):
    """The call's deadline passed."""


class WriteStallError(TransportError):
    """The provider stopped taking the request's bytes."""


class BrokenConnectionError(TransportError):
    """The connection ended before a complete response head."""


class TruncatedError(TransportError):
    """The connection ended before the end of the body that the head announced."""


class ProtocolError(TransportError):
    """What came is not a response that may be read on."""


class ResponseTooLargeError(TransportError):
    """The body is larger than the caller allows."""
