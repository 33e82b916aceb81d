"""What a server answers instead of what was asked for."""

from http import HTTPStatus

from ..errors import LDSegError


class RefusalError(LDSegError):
    """A request that is not done.

    Parameters
    ----------
    status : HTTPStatus
    message : str
        What is wrong, and what to do.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
