"""What Snakemake costs beside its tasks: it rests while they run, and is gone when they are done."""

from engine_room import Room

ROUND = "Resources before job selection:"  # one line of --verbose each time that it looks for jobs


def test_it_does_not_look_for_jobs_while_all_places_are_taken(room: Room) -> None:
    outcome = room.run(
        """
rule all:
    input: expand("{n}.txt", n=range(6))
rule slow:
    output: "{n}.txt"
    shell: "sleep 1; echo {wildcards.n} > {output}"
""",
        "--verbose",
    )
    assert outcome.code == 0, outcome.text
    rounds = outcome.text.count(ROUND)
    assert 3 <= rounds <= 20, rounds  # two at a time: a round at the start, and one after each end at most


def test_its_modules_are_not_taken_apart_at_its_end(room: Room) -> None:
    outcome = room.run(
        """
import atexit
import threading

class Late:
    def __del__(self):
        print("taken apart", flush=True)

atexit.late = Late()
atexit.register(print, "said at exit")
threading.Timer(0.5, print, ["waited for"]).start()

rule all:
    output: "done.txt"
    shell: "echo done > {output}"
"""
    )
    assert outcome.code == 0, outcome.text
    assert "waited for" in outcome.text
    assert "said at exit" in outcome.text
    assert "taken apart" not in outcome.text


def test_its_exit_code_stays_what_it_is(room: Room) -> None:
    failed = room.run('rule all:\n    output: "done.txt"\n    shell: "exit 3"\n')
    assert failed.code == 1, failed.text
    assert "exit code 3" in failed.text
    wrong = room.run('rule all:\n    input: "nobody-makes.txt"\n')
    assert wrong.code == 1, wrong.text
    assert "MissingInputException" in wrong.text
    misused = room.run('rule all:\n    output: "done.txt"\n    shell: "true"\n', "--no-such-word")
    assert misused.code == 2, misused.text
