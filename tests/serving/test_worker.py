"""How a worker takes leave: who connected before its address is closed is answered."""

import asyncio
import socket

import pytest
import uvloop

from serving.http.server import configured
from serving.scoring.champion import CurrentVersion
from serving.worker import Server
from tests.support.running import app_of, current_of
from tests.support.wire import say
