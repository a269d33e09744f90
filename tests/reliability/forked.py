"""Processes that cost little to start, for they are forked from one that has imported all they need."""

import functools
import multiprocessing
import os
import sys
from multiprocessing import forkserver
from unittest import mock


@functools.cache
def forking():
    """What starts such processes.

    Whoever runs the tests has a single process to fork from, whichever test comes first; so it imports what every
    test needs.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hammering", "killed_runs"])
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):  # where it finds them
        forkserver.ensure_running()
    return context
