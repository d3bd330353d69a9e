"""Which of a task's wishes reach SLURM, and that nothing else can be put into one."""

import pytest

from tes.backends.slurm.client import Job
from tes.backends.slurm.options import PATTERNS, Options, options

ALL = frozenset(PATTERNS)


def test_wishes_that_are_allowed_are_taken() -> None:
    parameters = {
        "partition": "gpu",
        "account": "heart_2",
        "qos": "high",
        "constraint": "avx2,ib",
        "gres": "gpu:a100:2,token",
        "time": "1-02:03:04",
    }
    assert options(parameters, ALL) == (Options("gpu", "heart_2", "high", "avx2,ib", "gpu:a100:2,token", 1564), [])


def test_what_the_site_does_not_allow_or_nobody_knows_is_unsupported() -> None:
    parameters = {"partition": "gpu", "qos": "high", "uid": "0", "wrap": "id", "VmSize": "large"}
    assert options(parameters, {"partition", "uid"}) == (Options("gpu"), ["qos", "uid", "wrap", "VmSize"])


@pytest.mark.parametrize("name", ["partition", "account", "qos", "constraint", "gres"])
@pytest.mark.parametrize(
    "value",
    ["", "-x", "--uid=0", "a b", "a\n", "a\nb", "a;b", "a$b", "a`b`", "a|b", "a&b", "a'b", 'a"b', "a\\b", "a*", "a/b",
     ".hidden", "ä", "a,,b", "a=b", "a" * 65, "a,--uid=0", "a\0"],
)  # fmt: skip
def test_a_value_that_could_be_read_as_something_else_is_unsupported(name: str, value: str) -> None:
    assert options({name: value}, ALL) == (Options(), [name])
    with pytest.raises(ValueError, match=name):
        Options(**{name: value})


@pytest.mark.parametrize(
    ("value", "minutes"),
    [("90", 90), ("00:00:01", 1), ("02:30:00", 150), ("2-00:00:00", 2880), ("100:00:30", 6001)],
)
def test_a_time_is_in_whole_minutes_rounded_up(value: str, minutes: int) -> None:
    assert options({"time": value}, ALL) == (Options(minutes=minutes), [])


@pytest.mark.parametrize("value", ["", "0", "00:00:00", "-1", "1:2", "INFINITE", "UNLIMITED", "1-", "999999", "1.5"])
def test_a_time_that_is_none_is_unsupported(value: str) -> None:
    assert options({"time": value}, ALL) == (Options(), ["time"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a,b"},
        {"name": "-x"},
        {"name": "x\n"},
        {"name": ""},
        {"user": "root:"},
        {"user": "../x"},
        {"user": ""},
        {"comment": "a\nb"},
        {"script": "exit 0\n"},
        {"script": "#!/bin/sh\n#SBATCH --uid=0\n"},
        {"script": "#!/bin/sh\n# PBS -x\n"},
        {"script": "#!/bin/sh\n\0"},
        {"cpus": 0},
        {"memory_mb": 0},
    ],
)
def test_a_job_holds_nothing_that_could_be_read_as_something_else(wrong: dict[str, str]) -> None:
    right = {"name": "tes-1-1", "user": "alice", "script": "#!/bin/sh\nexit 0\n", "cpus": 1, "memory_mb": 1}
    Job(**right)
    with pytest.raises(ValueError, match="a job"):
        Job(**{**right, **wrong})
