"""Keep the terminal for the person: what the libraries say goes to the run's log."""

import contextlib
import logging
import warnings
from collections.abc import Generator
from typing import Final

LIBRARIES: Final = (
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "huggingface_hub",
    "bitsandbytes",
    "torch",
    "matplotlib",
    "py.warnings",
)


class _ToOurs(logging.Handler):
    """Hands records to prefkit's logger, which a run writes to `run.log`."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger("prefkit").handle(record)


@contextlib.contextmanager
def libraries_to_log() -> Generator[None]:
    """Within this block, libraries log to prefkit's log and draw no progress bars."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("default")
        logging.captureWarnings(True)
        stack.callback(logging.captureWarnings, False)
        _without_bars(stack)
        for name in LIBRARIES:
            stack.enter_context(_redirected(logging.getLogger(name)))
        yield


def _without_bars(stack: contextlib.ExitStack) -> None:
    import datasets
    from transformers.utils import logging as transformers_logging

    if transformers_logging.is_progress_bar_enabled():
        transformers_logging.disable_progress_bar()
        stack.callback(transformers_logging.enable_progress_bar)
    if not datasets.are_progress_bars_disabled():
        datasets.disable_progress_bars()
        stack.callback(datasets.enable_progress_bars)


@contextlib.contextmanager
def _redirected(logger: logging.Logger) -> Generator[None]:
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [_ToOurs()], False
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate
