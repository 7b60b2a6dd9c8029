import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sql

from muslin.sweeps.claims import PATIENCE, Claims, gone, process


@pytest.fixture
def engine(tmp_path):
    engine = sql.create_engine(f"sqlite:///{tmp_path / 'claims.db'}", connect_args={"timeout": 60})
    yield engine
    engine.dispose()


def test_each_number_is_taken_once_whoever_asks(engine):
    claims = [Claims(engine, 1, f"host:{n}:") for n in range(4)]
    with ThreadPoolExecutor(4) as threads:
        taken = [*threads.map(lambda i: claims[i % 4].take(lambda n: n < 50), range(60))]
    assert sorted(n for n in taken if n is not None) == [*range(50)]
    assert taken.count(None) == 10


def test_studies_count_for_themselves(engine):
    assert [Claims(engine, study, "a:1:").take(lambda n: True) for study in (1, 2, 1)] == [0, 0, 1]


def test_of_several_that_adopt_one_does(engine):
    dead, *heirs = (Claims(engine, 1, owner) for owner in ("dead:1:", "a:1:", "b:1:"))
    number = dead.take(lambda n: True)
    assert [heir.adopt(number, "dead:1:") for heir in heirs] == [True, False]
    assert heirs[0].holds(number)
    assert not heirs[1].holds(number)
    assert not dead.holds(number)


def test_what_is_released_is_nobodys(engine):
    claims = Claims(engine, 1, process(os.getpid()))
    claims.take(lambda n: True)
    owner, beat, _ = claims.all()[0]
    assert not gone(owner, beat)
    claims.release()
    owner, beat, _ = claims.all()[0]
    assert gone(owner, beat)


def test_deaths_are_counted(engine):
    claims = Claims(engine, 1, "a:1:")
    claims.take(lambda n: True)
    claims.died(0)
    claims.died(0)
    assert claims.all()[0][2] == 2


def test_a_process_of_this_machine_is_gone_when_it_has_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = process(child.pid)
    assert not gone(owner, beat=100, now=100)
    child.kill()
    child.wait()
    child.stdin.close()
    assert gone(owner, beat=100, now=100)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc")
def test_another_process_with_the_same_number_is_not_the_owner():
    assert gone(f"{socket.gethostname()}:{os.getpid()}:1", beat=100, now=100)


def test_on_another_machine_silence_tells():
    assert not gone("elsewhere:1:5", beat=100, now=100 + PATIENCE - 1)
    assert gone("elsewhere:1:5", beat=100, now=100 + PATIENCE + 1)
