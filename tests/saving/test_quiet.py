"""Loggers are kept quiet for one thread, and are afterwards as they were."""

from __future__ import annotations

import logging
import threading

import pytest

from green_optuna.saving.quiet import quiet_loggers


def test_one_thread_is_kept_quiet_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """However the blocks of two threads overlap, nothing is left of them."""
    logger = logging.getLogger("tests.quiet")
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with quiet_loggers(["tests.quiet"], logging.ERROR):
            entered.set()
            assert leave.wait(timeout=60)
            logger.warning("of the other")

    thread = threading.Thread(target=other)
    with quiet_loggers(["tests.quiet"], logging.ERROR):
        thread.start()
        assert entered.wait(timeout=60)
        logger.warning("inside")
        logger.error("grave")
    logger.warning("outside")
    leave.set()
    thread.join()
    logger.warning("after")
    assert [record.getMessage() for record in caplog.records] == ["grave", "outside", "after"]
    assert logger.filters == []
