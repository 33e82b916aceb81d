"""Settings of a server that computes for others."""

from ._base import Config
from ._setting import setting

LIMITS = "Limits"


class ServeConfig(Config):
    """Where a server listens, and how much each token may ask of it."""

    host: str = setting(
        "127.0.0.1",
        title="Host",
        description="Address to listen at; the default is reached from this computer only, 0.0.0.0 from others, too.",
    )
    port: int = setting(8765, title="Port", ge=0, le=65535, description="Port to listen at; 0 takes a free one.")
    tokens: str | None = setting(
        None,
        title="Tokens",
        absent="none",
        description="File with a name and a token on each line, separated by a space; a token has 16 characters or "
        "more.",
    )
    image_mb: int = setting(
        2048, title="Image MB", group=LIMITS, ge=1, le=1_000_000, description="Megabytes of one image at most."
    )
    kept_mb: int = setting(
        16384,
        title="Kept MB",
        group=LIMITS,
        ge=1,
        le=10_000_000,
        description="Megabytes of images and results on the server's disk at most, of all tokens; each may use half.",
    )
    memory_mb: int | None = setting(
        None,
        title="Memory MB",
        group=LIMITS,
        ge=64,
        le=10_000_000,
        absent="half of this computer's",
        description="Megabytes of memory that one run may need; by default half of this computer's.",
    )
    runs: int = setting(
        16, title="Runs", group=LIMITS, ge=1, le=10_000, description="Runs of one token that wait or go at a time."
    )
    minutes: float = setting(
        60.0, title="Minutes", group=LIMITS, gt=0, le=100_000, description="Minutes of computing for one run at most."
    )
    idle_minutes: float = setting(
        15.0,
        title="Idle minutes",
        group=LIMITS,
        gt=0,
        le=100_000,
        description="Minutes after which images, results and sessions that nobody asked for are forgotten.",
    )
